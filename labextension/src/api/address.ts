import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import { ApiError } from './error';
import type { ConsoleAccess } from './types';

const PREFIX = 'vmpool/api/v1/';

/** The address of an endpoint; throws where a name would lead to another endpoint. */
export function endpoint(base: string, ...segments: readonly string[]): string {
  const address = URLExt.join(base, PREFIX) + segments.map(encodeURIComponent).join('/');
  // Browsers take "." and ".." for steps in the path, encoded or not, and nothing for nothing.
  if (segments.includes('') || resolved(address).href !== absolute(address)) {
    throw new ApiError('unusable-name', `Not a name: "${segments.join('/')}"`, 422);
  }
  return address;
}

/** The address of the socket that tells about changes. */
export function updatesAddress(settings: ServerConnection.ISettings): string {
  const address = new URL(endpoint(settings.wsUrl, 'updates'));
  authenticate(address, settings);
  return address.href;
}

/** The address of the socket that a console ticket is for. */
export function displayAddress(
  settings: ServerConnection.ISettings,
  access: ConsoleAccess
): string {
  const base = URLExt.join(settings.wsUrl, PREFIX);
  const address = new URL(access.url, base);
  if (!address.href.startsWith(base)) {
    throw new ApiError('unusable-answer', 'The display is outside of the API.', 0);
  }
  address.searchParams.set('ticket', access.ticket);
  authenticate(address, settings);
  return address.href;
}

function authenticate(address: URL, settings: ServerConnection.ISettings): void {
  // With the same host the login cookie does it; sockets cannot send an Authorization header.
  if (settings.appendToken && settings.token) {
    address.searchParams.set('token', settings.token);
  }
}

function resolved(address: string): URL {
  return new URL(address, window.location.href);
}

function absolute(address: string): string {
  return address.startsWith('/') ? window.location.origin + address : address;
}
