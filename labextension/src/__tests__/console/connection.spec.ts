import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Backoff } from '../../api/backoff';
import { ApiError } from '../../api/error';
import type { ConsoleAccess } from '../../api/types';
import { ConsoleConnection } from '../../console/connection';
import type { IRfb, RfbConstructor } from '../../console/rfb';
import { rfbDisplaysIn } from '../../console/rfb';
import { aConsole } from '../builders';
import { FakeSocket, fakeSettings, settled } from '../fakes';

class FakeRfb extends EventTarget implements IRfb {
  static last: FakeRfb;

  constructor(
    readonly target: HTMLElement,
    readonly channel: WebSocket,
    readonly options: object
  ) {
    super();
    FakeRfb.last = this;
  }

  background = '';
  scaleViewport = false;
  showDotCursor = false;
  disconnect = jest.fn<() => void>();
  focus = jest.fn<() => void>();
  sendCtrlAltDel = jest.fn<() => void>();

  succeed(): void {
    this.dispatchEvent(new Event('connect'));
  }
}

let connection: ConsoleConnection;
let askForTicket: jest.Mock<(hasEnded: boolean) => Promise<ConsoleAccess>>;

beforeEach(() => {
  jest.useFakeTimers();
  const node = document.createElement('div');
  const settings = fakeSettings();
  askForTicket = jest
    .fn<(hasEnded: boolean) => Promise<ConsoleAccess>>()
    .mockResolvedValue(aConsole());
  connection = new ConsoleConnection({
    askForTicket,
    loadDisplay: () =>
      Promise.resolve(rfbDisplaysIn(node, settings, FakeRfb as unknown as RfbConstructor)),
    backoff: new Backoff(() => 1)
  });
});

afterEach(() => {
  connection.dispose();
  jest.useRealTimers();
});

async function connected(): Promise<void> {
  connection.connect();
  await settled();
  FakeRfb.last.succeed();
}

async function pass(milliseconds: number): Promise<void> {
  jest.advanceTimersByTime(milliseconds);
  await settled();
}

describe('The console', () => {
  it('connects with the ticket and the password of the server', async () => {
    connection.connect();
    expect(connection.status.state).toBe('connecting');
    await settled();
    FakeRfb.last.succeed();

    expect(connection.status.state).toBe('connected');
    expect(connection.vm).toBe('demo-1');
    expect(FakeSocket.last.url).toContain('/vms/demo-1/display?ticket=a+ticket');
    expect(FakeRfb.last.options).toEqual({ shared: true, credentials: { password: 'a password' } });
    expect(FakeRfb.last.scaleViewport).toBe(true);
  });

  it('counts down after a loss, and comes back with a new ticket', async () => {
    await connected();
    const seen: unknown[] = [];
    connection.statusChanged.connect((_, status) => seen.push(status));

    FakeSocket.last.end(1006);
    await pass(1000);
    FakeRfb.last.succeed();

    expect(seen).toEqual([
      { state: 'reconnecting', seconds: 1 },
      { state: 'connecting' },
      { state: 'connected' }
    ]);
    expect(askForTicket).toHaveBeenCalledTimes(2);
  });

  it('waits longer after each failure', async () => {
    await connected();
    FakeSocket.last.end(1006);
    await pass(1000);
    FakeSocket.last.end(4401);

    expect(connection.status).toEqual({ state: 'reconnecting', seconds: 2 });
    await pass(1000);
    expect(connection.status).toEqual({ state: 'reconnecting', seconds: 1 });
    await pass(1000);
    expect(connection.status.state).toBe('connecting');
  });

  it('is closed when the VM is no longer the user’s', async () => {
    await connected();

    FakeSocket.last.end(4403);
    await pass(60_000);

    expect(connection.status).toEqual({ state: 'closed', ending: { kind: 'taken' } });
    expect(askForTicket).toHaveBeenCalledTimes(1);
  });

  it.each([409, 404, 403, 401])('is closed when a ticket is refused with %i', async status => {
    const refusal = new ApiError('not-running', 'The VM is off.', status);
    await connected();
    askForTicket.mockRejectedValue(refusal);

    FakeSocket.last.end(4409);
    await pass(1000);
    await pass(60_000);

    expect(connection.status).toEqual({ state: 'closed', ending: { kind: 'refused', refusal } });
    expect(askForTicket).toHaveBeenCalledTimes(2);
  });

  it.each([503, 500, 0])('goes on when a ticket is refused with %i', async status => {
    askForTicket.mockRejectedValueOnce(new ApiError('contention', 'Busy.', status));

    connection.connect();
    await settled();
    expect(connection.status.state).toBe('reconnecting');
    await pass(1000);
    FakeRfb.last.succeed();

    expect(connection.status.state).toBe('connected');
  });

  it('says when it asks again that the display ended under it, until the person asks', async () => {
    await connected();
    askForTicket.mockRejectedValue(new ApiError('console-elsewhere', 'Elsewhere.', 409));
    FakeSocket.last.end(4409);
    await pass(1000);
    connection.reconnect();
    await settled();

    expect(askForTicket.mock.calls).toEqual([[false], [true], [false]]);
  });

  it.each([1006, 4401])('says nothing of the kind after a loss with %i', async code => {
    await connected();
    FakeSocket.last.end(code);
    await pass(1000);

    expect(askForTicket.mock.calls).toEqual([[false], [false]]);
  });

  it('connects at once when the person says so', async () => {
    await connected();
    FakeSocket.last.end(4403);

    connection.reconnect();
    await settled();
    FakeRfb.last.succeed();

    expect(connection.status.state).toBe('connected');
  });

  it('has one display at a time, and hears nothing of the one before', async () => {
    await connected();
    const before = FakeRfb.last;
    const socket = FakeSocket.last;

    connection.reconnect();
    await settled();
    socket.end(4403);

    expect(before.disconnect).toHaveBeenCalledTimes(1);
    expect(connection.status.state).toBe('connecting');
  });

  it('opens nothing when it is disposed while it asks for the ticket', async () => {
    connection.connect();

    connection.dispose();
    await settled();

    expect(FakeSocket.all).toHaveLength(0);
  });

  it('closes the display when it is disposed, and does not come back', async () => {
    await connected();

    connection.dispose();
    FakeSocket.last.end(1006);
    await pass(60_000);

    expect(FakeRfb.last.disconnect).toHaveBeenCalledTimes(1);
    expect(askForTicket).toHaveBeenCalledTimes(1);
  });

  it('sends Ctrl-Alt-Del to the guest', async () => {
    await connected();

    connection.display?.sendCtrlAltDel();

    expect(FakeRfb.last.sendCtrlAltDel).toHaveBeenCalledTimes(1);
  });
});
