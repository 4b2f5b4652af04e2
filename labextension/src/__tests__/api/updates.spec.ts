import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Backoff } from '../../api/backoff';
import { Updates } from '../../api/updates';
import { aPicture, aPool } from '../builders';
import { FakeSocket, fakeSettings } from '../fakes';

let updates: Updates;
let hidden = false;

beforeEach(() => {
  jest.useFakeTimers();
  hidden = false;
  jest.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden);
  updates = new Updates(fakeSettings(), new Backoff(() => 0));
});

afterEach(() => {
  updates.dispose();
  jest.useRealTimers();
});

function setHidden(value: boolean): void {
  hidden = value;
  document.dispatchEvent(new Event('visibilitychange'));
}

/** Fail as often as said, each time after the whole wait. */
function fail(times: number): void {
  for (let time = 0; time < times; time += 1) {
    FakeSocket.last.end(1006);
    jest.advanceTimersByTime(30_000);
  }
}

describe('The updates', () => {
  it('hand on every picture', () => {
    const seen: number[] = [];
    updates.picture.connect((_, picture) => seen.push(picture.revision));
    updates.connect();

    FakeSocket.last.say(aPicture([aPool()], { revision: 7 }));
    FakeSocket.last.say(aPicture([], { revision: 8 }));

    expect(seen).toEqual([7, 8]);
  });

  it('hand on the picture of a server that tells neither VMs nor notices', () => {
    const seen = jest.fn();
    updates.picture.connect((_, picture) => seen(picture));
    updates.connect();

    FakeSocket.last.say({ revision: 1, pools: [], problem: null });

    expect(seen).toHaveBeenCalledWith(aPicture([]));
  });

  it.each([[null], ['text'], [{ pools: 'none' }], [{}]])('leave out %p', message => {
    const seen = jest.fn();
    updates.picture.connect(seen);
    updates.connect();

    FakeSocket.last.say(message);

    expect(seen).not.toHaveBeenCalled();
  });

  it('open another socket half a second after the first loss', () => {
    updates.connect();

    FakeSocket.last.end(1006);
    jest.advanceTimersByTime(499);
    expect(FakeSocket.all).toHaveLength(1);
    jest.advanceTimersByTime(1);

    expect(FakeSocket.all).toHaveLength(2);
  });

  it('wait longer after each failure, and never more than half a minute', () => {
    const backoff = new Backoff(() => 1);

    const waits = Array.from({ length: 8 }, () => backoff.next());

    expect(waits).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  });

  it('begin with short waits again after a connection that lasted', () => {
    updates.connect();
    fail(5);
    FakeSocket.last.say(aPicture([]));
    jest.advanceTimersByTime(10_000);

    FakeSocket.last.end(1006);
    jest.advanceTimersByTime(500);

    expect(FakeSocket.all).toHaveLength(7);
  });

  it('take a connection that ends at once for another failure', () => {
    updates.connect();
    fail(5);
    FakeSocket.last.say(aPicture([]));

    FakeSocket.last.end(1006);
    jest.advanceTimersByTime(5_000);

    expect(FakeSocket.all).toHaveLength(6);
  });

  it('tell of the loss, and of the next picture as the end of it', () => {
    const seen: boolean[] = [];
    updates.connectedChanged.connect((_, connected) => seen.push(connected));
    updates.connect();

    fail(2);
    FakeSocket.last.say(aPicture([]));

    expect(seen).toEqual([false, true]);
  });

  it('open no socket while nobody looks, and one at once when somebody does', () => {
    updates.connect();
    setHidden(true);
    FakeSocket.last.end(1006);
    jest.advanceTimersByTime(120_000);
    expect(FakeSocket.all).toHaveLength(1);

    setHidden(false);

    expect(FakeSocket.all).toHaveLength(2);
  });

  it('keep a socket that works when the page is shown again', () => {
    updates.connect();

    setHidden(true);
    setHidden(false);

    expect(FakeSocket.all).toHaveLength(1);
  });

  it('replace the socket when the network is back, even one that looks open', () => {
    updates.connect();
    const before = FakeSocket.last;

    window.dispatchEvent(new Event('online'));

    expect(before.isClosed).toBe(true);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it('do nothing any more once disposed', () => {
    updates.connect();
    updates.dispose();

    FakeSocket.last.end(1006);
    window.dispatchEvent(new Event('online'));
    jest.advanceTimersByTime(60_000);

    expect(FakeSocket.all).toHaveLength(1);
    expect(FakeSocket.last.isClosed).toBe(true);
  });
});
