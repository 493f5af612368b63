/**
 * Where we stand in the call: outside, in it, or done with it. Work that takes
 * time remembers the generation it was begun in, and is void in a later one.
 */
export class Standing {
  #generation = 0;
  #entered = false;
  #everEntered = false;
  #over = false;

  /** Counts our entries into the call; work of an earlier one is void. */
  get generation(): number {
    return this.#generation;
  }

  /** In the call now. */
  get entered(): boolean {
    return this.#entered;
  }

  /** Was in the call at some time, so it did exist. */
  get everEntered(): boolean {
    return this.#everEntered;
  }

  /** Left or failed, for good. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether work begun in that generation still counts. */
  current(generation: number): boolean {
    return generation === this.#generation && !this.#over;
  }

  /** Begins a generation, and returns its number. */
  next(): number {
    return ++this.#generation;
  }

  /** We are no longer in the call, or not yet again. */
  outside(): void {
    this.#entered = false;
  }

  /** We are in. */
  inside(): void {
    this.#entered = true;
    this.#everEntered = true;
  }

  /** Makes all work void, for good. */
  end(): void {
    this.#over = true;
    this.#generation++;
  }
}
