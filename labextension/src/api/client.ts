import { ServerConnection } from '@jupyterlab/services';
import { endpoint } from './address';
import { ApiError, asApiError } from './error';
import type { Target } from './target';
import { pathOf } from './target';
import type { ConsoleAccess, Deed, Health, Me, OwnVmView, PoolView } from './types';

/** The HTTP interface; every method throws `ApiError`. */
export interface IClient {
  me(): Promise<Me>;
  health(): Promise<Health>;
  pools(): Promise<readonly PoolView[]>;
  pool(pool: string): Promise<PoolView>;
  /** The VMs that were granted by name; none where the server is from before there were any. */
  vms(): Promise<readonly OwnVmView[]>;
  actOnPool(pool: string, deed: Deed): Promise<PoolView>;
  actOnVm(vm: string, deed: Deed): Promise<OwnVmView>;
  openConsole(target: Target): Promise<ConsoleAccess>;
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

  async vms(): Promise<readonly OwnVmView[]> {
    try {
      const { vms } = await this._request<{ vms?: unknown }>('GET', 'vms');
      return Array.isArray(vms) ? (vms as OwnVmView[]) : [];
    } catch (error) {
      if (asApiError(error).status === 404) {
        return [];
      }
      throw error;
    }
  }

  async actOnPool(pool: string, deed: Deed): Promise<PoolView> {
    return this._request<PoolView>('POST', ...pathOf({ pool }), deed);
  }

  async actOnVm(vm: string, deed: Deed): Promise<OwnVmView> {
    return this._request<OwnVmView>('POST', ...pathOf({ vm }), deed);
  }

  async openConsole(target: Target): Promise<ConsoleAccess> {
    return this._request<ConsoleAccess>('POST', ...pathOf(target), 'console');
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
