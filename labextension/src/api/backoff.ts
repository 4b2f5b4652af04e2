const FIRST = 1_000;
const LONGEST = 30_000;
/** A connection that ends sooner is taken for another failure. */
const LASTING = 5_000;

/** How long to wait before the next attempt: doubling, with jitter so that not all browsers come at once. */
export class Backoff {
  constructor(private readonly _random: () => number = Math.random) {}

  /** An attempt was successful. */
  succeeded(): void {
    this._succeededAt = Date.now();
  }

  /** The wait in milliseconds, between half and all of the step. */
  next(): number {
    if (this._succeededAt !== null && Date.now() - this._succeededAt >= LASTING) {
      this._failures = 0;
    }
    this._succeededAt = null;
    const step = Math.min(LONGEST, FIRST * 2 ** this._failures);
    this._failures += 1;
    return step * (0.5 + this._random() / 2);
  }

  reset(): void {
    this._failures = 0;
    this._succeededAt = null;
  }

  private _failures = 0;
  private _succeededAt: number | null = null;
}
