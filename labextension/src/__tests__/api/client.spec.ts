import { describe, expect, it, jest } from '@jest/globals';
import { displayAddress, updatesAddress } from '../../api/address';
import { Client } from '../../api/client';
import { aConsole, aPool } from '../builders';
import { fakeSettings } from '../fakes';

interface IAnswer {
  status?: number;
  body?: string;
}

class FakeRequest {
  readonly headers = new Map<string, string>();
  constructor(
    readonly url: string,
    readonly init: RequestInit
  ) {}
}

function clientOf({ status = 200, body = '{}' }: IAnswer) {
  const fetch = jest.fn((request: FakeRequest) => {
    void request;
    return Promise.resolve({
      ok: status < 400,
      status,
      statusText: 'what the status means',
      json: () => Promise.resolve().then(() => JSON.parse(body) as unknown)
    });
  });
  const settings = fakeSettings({
    fetch: fetch as never,
    Request: FakeRequest as never,
    Headers: Map as never
  });
  // Without the time that JupyterLab appends against caches.
  const asked = () =>
    fetch.mock.calls.map(([{ url, init }]) => `${init.method} ${url.replace(/\?\d+$/, '')}`);
  return { client: new Client(settings), asked };
}

const API = 'http://lab.example/user/ann/vmpool/api/v1/';

describe('The client', () => {
  it('asks the endpoints of docs/api.md', async () => {
    const { client, asked } = clientOf({ body: '{"pools": []}' });

    await client.me();
    await client.health();
    await client.pools();
    await client.pool('demo');
    await client.actOnPool('demo', 'start');
    await client.actOnPool('demo', 'stop');
    await client.actOnPool('demo', 'reset');
    await client.actOnPool('demo', 'release');
    await client.openConsole({ pool: 'demo' });
    await client.vms();
    await client.actOnVm('lab-1', 'start');
    await client.actOnVm('lab-1', 'stop');
    await client.actOnVm('lab-1', 'reset');
    await client.openConsole({ vm: 'lab-1' });

    expect(asked()).toEqual([
      `GET ${API}me`,
      `GET ${API}health`,
      `GET ${API}pools`,
      `GET ${API}pools/demo`,
      `POST ${API}pools/demo/start`,
      `POST ${API}pools/demo/stop`,
      `POST ${API}pools/demo/reset`,
      `POST ${API}pools/demo/release`,
      `POST ${API}pools/demo/console`,
      `GET ${API}vms`,
      `POST ${API}vms/lab-1/start`,
      `POST ${API}vms/lab-1/stop`,
      `POST ${API}vms/lab-1/reset`,
      `POST ${API}vms/lab-1/console`
    ]);
  });

  it.each([
    ['a/b', 'a%2Fb'],
    ['%2f', '%252f'],
    ['%2e%2e', '%252e%252e'],
    ['a?b#c', 'a%3Fb%23c'],
    ['Größe 1', 'Gr%C3%B6%C3%9Fe%201']
  ])('keeps the name %p one segment of the path', async (name, segment) => {
    const { client, asked } = clientOf({});

    await client.actOnPool(name, 'start');

    expect(asked()).toEqual([`POST ${API}pools/${segment}/start`]);
  });

  it.each(['..', '.', ''])('asks nothing at all for the name %p', async name => {
    const { client, asked } = clientOf({});

    await expect(client.actOnPool(name, 'start')).rejects.toMatchObject({ code: 'unusable-name' });

    expect(asked()).toEqual([]);
  });

  it('hands on the answer', async () => {
    const { client } = clientOf({ status: 202, body: JSON.stringify(aPool({ free: 2 })) });

    expect((await client.actOnPool('demo', 'start')).free).toBe(2);
  });

  it('throws the code, the sentence and the status of a refusal', async () => {
    const { client } = clientOf({
      status: 409,
      body: '{"code": "pool-exhausted", "message": "All in use.", "reason": null}'
    });

    await expect(client.actOnPool('demo', 'start')).rejects.toMatchObject({
      code: 'pool-exhausted',
      message: 'All in use.',
      status: 409
    });
  });

  it.each([
    [502, '<html>Bad gateway</html>', 'http-502'],
    [403, '{"message": "Forbidden"}', 'http-403'],
    [200, '<html>A page</html>', 'not-json'],
    [200, 'null', 'not-json'],
    [200, '{"pools": 5}', 'unusable-answer']
  ])('makes a refusal of a %i with %p', async (status, body, code) => {
    const { client } = clientOf({ status, body });

    await expect(client.pools()).rejects.toMatchObject({ name: 'ApiError', code, status });
  });

  it.each([
    [404, '{"code": "not-found", "message": "There is nothing here."}'],
    [200, '{"pools": []}']
  ])('has no VMs where the server is from before there were any: %i %p', async (status, body) => {
    const { client } = clientOf({ status, body });

    expect(await client.vms()).toEqual([]);
  });

  it('does not take a server that cannot say for one without VMs', async () => {
    const { client } = clientOf({ status: 503, body: '{"code": "loading", "message": "Wait."}' });

    await expect(client.vms()).rejects.toMatchObject({ code: 'loading' });
  });

  it('says when no server was reached', async () => {
    const settings = fakeSettings({
      fetch: () => Promise.reject(new TypeError('Failed to fetch')),
      Request: FakeRequest as never
    });

    await expect(new Client(settings).pools()).rejects.toMatchObject({
      code: 'unreachable',
      status: 0
    });
  });
});

describe('The address of a socket', () => {
  it('carries the token only where cookies do not work', () => {
    const withToken = fakeSettings({ appendToken: true, token: 'a&b' });

    expect(updatesAddress(fakeSettings({ token: 'secret' }))).toBe(
      'ws://lab.example/user/ann/vmpool/api/v1/updates'
    );
    expect(updatesAddress(withToken)).toMatch(/updates\?token=a%26b$/);
  });

  it('carries the ticket of the console', () => {
    expect(displayAddress(fakeSettings(), aConsole({ ticket: 'x+y' }))).toBe(
      'ws://lab.example/user/ann/vmpool/api/v1/vms/demo-1/display?ticket=x%2By'
    );
  });

  it.each(['../../../api/kernels', 'ws://elsewhere.example/', '/user/bob/x'])(
    'is never outside of the API, such as %p',
    url => {
      expect(() => displayAddress(fakeSettings(), aConsole({ url }))).toThrow('outside');
    }
  );
});
