/** The letters that stand for a person without a picture. */
export function monogram(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = (words.length > 1 ? [words[0], words.at(-1)] : words).map((word) =>
    firstLetter(word ?? ''),
  );
  return letters.join('').toLocaleUpperCase() || '·';
}

/** As people count letters: an emoji or an accented letter is one. */
function firstLetter(word: string): string {
  for (const { segment } of new Intl.Segmenter().segment(word)) return segment;
  return '';
}
