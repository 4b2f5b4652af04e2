import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ApiError } from '../../api/error';
import type { PoolView } from '../../api/types';
import type { TellRefusal } from '../../model/manager';
import { VmPoolManager } from '../../model/manager';
import { anOwnVm, aPicture, aPool, aVm } from '../builders';
import { FakeClient, FakeUpdates, settled } from '../fakes';

const DEMO = { pool: 'demo' };
const LAB = { vm: 'lab-1' };

let client: FakeClient;
let updates: FakeUpdates;
let tellRefusal: jest.Mock<TellRefusal>;

beforeEach(() => {
  client = new FakeClient();
  updates = new FakeUpdates();
  tellRefusal = jest.fn<TellRefusal>();
});

async function aManager(): Promise<VmPoolManager> {
  const manager = new VmPoolManager({ client, updates, tellRefusal });
  await settled();
  return manager;
}

function anAnswerLater() {
  let answer: (pool: PoolView) => void = () => undefined;
  client.actOnPool.mockReturnValue(new Promise(resolve => (answer = resolve)));
  return (pool: PoolView) => answer(pool);
}

describe('The manager', () => {
  it('shows the pools of the first answer, and listens from then on', async () => {
    const manager = await aManager();

    await manager.ready;

    expect(manager.availability).toBe('ready');
    expect(manager.pools.map(pool => pool.name)).toEqual(['demo']);
    expect(updates.connect).toHaveBeenCalledTimes(1);
  });

  it('shows every picture, with its problem, and says that it changed', async () => {
    const manager = await aManager();
    const changed = jest.fn();
    manager.changed.connect(changed);
    const problem = {
      code: 'store-in-use',
      message: 'Another server.',
      since: '2026-11-22T15:00:00Z'
    };

    updates.show(aPicture([aPool({ name: 'other' })], { problem }));

    expect(manager.view({ pool: 'other' })).toBeDefined();
    expect(manager.view(DEMO)).toBeUndefined();
    expect(manager.problem).toEqual(problem);
    expect(changed).toHaveBeenCalledTimes(1);
  });

  it('shows VMs of their own from the first answer on, and with every picture', async () => {
    client.vms.mockResolvedValue([anOwnVm()]);
    const manager = await aManager();
    expect(manager.vm(LAB)?.state).toBe('running');

    updates.show(aPicture([], { vms: [anOwnVm({ state: 'stopped' })] }));

    expect(manager.vm(LAB)?.state).toBe('stopped');
  });

  it('shows what administrators are told', async () => {
    const manager = await aManager();
    const notices = [{ pool: 'demo', severity: 'error', message: 'No such retention.' }] as const;

    updates.show(aPicture([], { notices }));

    expect(manager.notices).toEqual(notices);
  });

  it('acts on a VM of its own, and shows the answer at once', async () => {
    client.vms.mockResolvedValue([anOwnVm({ state: 'stopped' })]);
    client.actOnVm.mockResolvedValue(anOwnVm({ state: 'starting' }));
    const manager = await aManager();

    const started = manager.start(LAB);
    expect(manager.pending(LAB)).toBe('start');
    expect(manager.pending({ pool: 'lab-1' })).toBeUndefined();
    await started;

    expect(client.actOnVm.mock.calls).toEqual([['lab-1', 'start']]);
    expect(manager.vm(LAB)?.state).toBe('starting');
  });

  it('has nothing to give back in a VM of its own', async () => {
    client.vms.mockResolvedValue([anOwnVm()]);

    const manager = await aManager();

    expect(manager.allows(LAB, 'stop')).toBe(true);
    expect(manager.allows(LAB, 'release')).toBe(false);
  });

  it('never asks for the pools again', async () => {
    await aManager();

    updates.setConnected(false);
    updates.setConnected(true);
    updates.show(aPicture([]));

    expect(client.pools).toHaveBeenCalledTimes(1);
  });

  it('keeps the last picture when the server is gone', async () => {
    const manager = await aManager();

    updates.setConnected(false);

    expect(manager.connected).toBe(false);
    expect(manager.pools).toHaveLength(1);
  });

  it('asks a server that is there why its socket was lost, and says so until there is a picture', async () => {
    const manager = await aManager();
    client.health.mockRejectedValue(new ApiError('service-unavailable', 'No service.', 503));

    updates.setConnected(false);
    await settled();
    expect(manager.problem?.code).toBe('service-unavailable');
    expect(manager.pools).toHaveLength(1);

    updates.show(aPicture([]));
    expect(manager.problem).toBeNull();
  });

  it('says nothing of a reason that came after the next picture', async () => {
    let refuse: (error: ApiError) => void = () => undefined;
    client.health.mockReturnValue(new Promise((_, reject) => (refuse = reject)));
    const manager = await aManager();

    updates.setConnected(false);
    updates.show(aPicture([]));
    refuse(new ApiError('service-unavailable', 'No service.', 503));
    await settled();

    expect(manager.problem).toBeNull();
  });

  it.each([new ApiError('http-404', 'Not Found', 404), new ApiError('not-json', 'A page', 200)])(
    'is silent where there is no server extension: %p',
    async error => {
      client.pools.mockRejectedValue(error);

      const manager = await aManager();
      await manager.ready;

      expect(manager.availability).toBe('unsupported');
      expect(updates.connect).not.toHaveBeenCalled();
      expect(tellRefusal).not.toHaveBeenCalled();
    }
  );

  it('goes on to listen when the first request fails otherwise, and says why', async () => {
    client.pools.mockRejectedValue(new ApiError('backend-unavailable', 'No cluster.', 503));

    const manager = await aManager();

    expect(manager.availability).toBe('loading');
    expect(manager.problem?.message).toBe('No cluster.');
    expect(updates.connect).toHaveBeenCalledTimes(1);
  });

  it('knows what it waits for, and asks nothing else of that pool meanwhile', async () => {
    const answer = anAnswerLater();
    const manager = await aManager();

    const started = manager.start(DEMO);
    await manager.start(DEMO);
    await manager.stop(DEMO);

    expect(manager.pending(DEMO)).toBe('start');
    expect(manager.pending({ pool: 'other' })).toBeUndefined();
    expect(client.actOnPool.mock.calls).toEqual([['demo', 'start']]);
    answer(aPool());
    await started;
    expect(manager.pending(DEMO)).toBeUndefined();
  });

  it('shows the answer to an action at once', async () => {
    const manager = await aManager();
    client.actOnPool.mockResolvedValue(aPool({ vm: aVm({ state: 'starting' }) }));

    await manager.start(DEMO);

    expect(manager.vm(DEMO)?.state).toBe('starting');
  });

  it('prefers a picture that came before the answer', async () => {
    const answer = anAnswerLater();
    const manager = await aManager();

    const started = manager.start(DEMO);
    updates.show(aPicture([aPool({ vm: aVm({ state: 'running' }) })]));
    answer(aPool({ vm: aVm({ state: 'starting' }) }));
    await started;

    expect(manager.vm(DEMO)?.state).toBe('running');
  });

  it.each(['start', 'stop', 'reset', 'release'] as const)(
    'tells once that the server refused to %s, and waits for nothing',
    async action => {
      const refusal = new ApiError('pool-exhausted', 'All in use.', 409);
      client.actOnPool.mockRejectedValue(refusal);
      const manager = await aManager();

      await manager[action](DEMO);

      expect(tellRefusal.mock.calls).toEqual([[action, DEMO, refusal]]);
      expect(manager.pending(DEMO)).toBeUndefined();
    }
  );

  it('leaves a refused console to the one who asked for it', async () => {
    client.openConsole.mockRejectedValue(new ApiError('not-running', 'It is off.', 409));
    const manager = await aManager();

    await expect(manager.openConsole(DEMO)).rejects.toThrow('It is off.');

    expect(tellRefusal).not.toHaveBeenCalled();
  });

  it('allows what the server gives no reason against', async () => {
    const manager = await aManager();

    updates.show(aPicture([aPool({ why: { stop: { code: 'not-running' } } })]));

    expect(manager.allows(DEMO, 'start')).toBe(true);
    expect(manager.allows(DEMO, 'stop')).toBe(false);
    expect(manager.allows({ pool: 'unknown' }, 'start')).toBe(false);
  });

  it('ends the listening when it is disposed', async () => {
    const manager = await aManager();

    manager.dispose();

    expect(updates.isDisposed).toBe(true);
  });
});
