/** Moves the focus to a view's heading when it appears, so that it is read out and Tab goes on from there. */
export function focusOnShow(node: HTMLElement): void {
  node.focus({ preventScroll: true });
}
