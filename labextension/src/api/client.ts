import { ServerConnection } from '@jupyterlab/services';
import { endpoint } from './address';
import { ApiError } from './error';
import type { ConsoleAccess, Health, Me, PoolView } from './types';

/** The HTTP interface, one method per endpoint; every method throws `ApiError`. */
export interface IClient {
  me(): Promise<Me>;
  health(): Promise<Health>;
  pools(): Promise<readonly PoolView[]>;
  pool(pool: string): Promise<PoolView>;
  start(pool: string): Promise<PoolView>;
  stop(pool: string): Promise<PoolView>;
  reset(pool: string): Promise<PoolView>;
  release(pool: string): Promise<PoolView>;
  openConsole(pool: string): Promise<ConsoleAccess>;
}

export class Client implements IClient {
  constructor(private readonly _settings: ServerConnection.ISettings) {}

  async me(): Promise<Me> {
    return this._request<Me>('GET', 'me');
  }

  async health(): Promise<Health> {
    return this._request<Health>('GET', 'health');
  }

  async pools(): Promise<readonly PoolView[]> {
    const { pools } = await this._request<{ pools?: unknown }>('GET', 'pools');
    if (!Array.isArray(pools)) {
      throw new ApiError('unusable-answer', 'The server answered without pools.', 200);
    }
    return pools as PoolView[];
  }

  async pool(pool: string): Promise<PoolView> {
    return this._request<PoolView>('GET', 'pools', pool);
  }

  async start(pool: string): Promise<PoolView> {
    return this._request<PoolView>('POST', 'pools', pool, 'start');
  }

  async stop(pool: string): Promise<PoolView> {
    return this._request<PoolView>('POST', 'pools', pool, 'stop');
  }

  async reset(pool: string): Promise<PoolView> {
    return this._request<PoolView>('POST', 'pools', pool, 'reset');
  }

  async release(pool: string): Promise<PoolView> {
    return this._request<PoolView>('POST', 'pools', pool, 'release');
  }

  async openConsole(pool: string): Promise<ConsoleAccess> {
    return this._request<ConsoleAccess>('POST', 'pools', pool, 'console');
  }

  private async _request<T>(method: 'GET' | 'POST', ...segments: string[]): Promise<T> {
    const response = await this._send(endpoint(this._settings.baseUrl, ...segments), method);
    const body = await bodyOf(response);
    if (!response.ok) {
      throw refusal(response, body);
    }
    if (body === null) {
      throw new ApiError('not-json', 'The server answered with something else.', response.status);
    }
    return body as T;
  }

  private async _send(url: string, method: string): Promise<Response> {
    try {
      return await ServerConnection.makeRequest(url, { method }, this._settings);
    } catch (error) {
      throw new ApiError('unreachable', error instanceof Error ? error.message : '', 0);
    }
  }
}

/** The JSON object of an answer; null if it has none, such as the page of a proxy in between. */
async function bodyOf(response: Response): Promise<Record<string, unknown> | null> {
  try {
    const body: unknown = await response.json();
    return typeof body === 'object' ? (body as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

function refusal(response: Response, body: Record<string, unknown> | null): ApiError {
  const { code, message } = body ?? {};
  return new ApiError(
    typeof code === 'string' ? code : `http-${response.status}`,
    typeof message === 'string' && message ? message : response.statusText,
    response.status
  );
}
