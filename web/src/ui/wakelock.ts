/** Keeps the screen from going dark during a call, where the browser can; returns what ends it. */
export function keepAwake(): () => void {
  let sentinel: WakeLockSentinel | undefined;
  let over = false;
  const request = () => {
    // The lock is lost whenever the page is hidden, so it is taken again when it is shown.
    if (document.visibilityState !== 'visible' || !('wakeLock' in navigator)) return;
    navigator.wakeLock
      .request('screen')
      .then((lock) => {
        if (over) void lock.release();
        else sentinel = lock;
      })
      .catch(() => undefined); // low battery, or forbidden: the call goes on
  };
  document.addEventListener('visibilitychange', request);
  request();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', request);
    void sentinel?.release();
  };
}
