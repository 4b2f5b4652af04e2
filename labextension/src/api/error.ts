/** A refusal: a word for the machine, a sentence for the person; status 0 if no server was reached. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** Whatever was thrown, as a refusal. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) {
    return error;
  }
  return new ApiError('unexpected', error instanceof Error ? error.message : String(error), 0);
}
