import { beforeEach, describe, expect, it } from '@jest/globals';
import { nullTranslator } from '@jupyterlab/translation';
import type { OwnVmView } from '../../api/types';
import { Tickets } from '../../console/tickets';
import { aConsole, anOwnVm } from '../builders';
import { FakePools } from '../fakes';

const LAB = { vm: 'lab-1' };

let pools: FakePools;
let tickets: Tickets;

beforeEach(() => {
  pools = new FakePools();
  pools.openConsole.mockResolvedValue(aConsole());
  tickets = new Tickets(LAB, pools, nullTranslator.load('vmpool_ext'));
});

describe('A tab', () => {
  it('comes back by itself to a console that nobody else has', async () => {
    pools.showVms(anOwnVm({ console: 'open' }));

    await tickets.ask();

    expect(pools.openConsole).toHaveBeenCalledWith(LAB);
  });

  it('does not take a console over by coming back', async () => {
    pools.showVms(anOwnVm({ console: 'inUse' }));

    await expect(tickets.ask()).rejects.toMatchObject({ code: 'console-in-use', status: 409 });

    expect(pools.openConsole).not.toHaveBeenCalled();
  });

  it('does not take a SPICE display back from who has opened it since', async () => {
    pools.showVms(anOwnVm({ display: 'spice', console: 'open' }));

    await expect(tickets.ask(true)).rejects.toMatchObject({
      code: 'console-elsewhere',
      status: 409
    });

    expect(pools.openConsole).not.toHaveBeenCalled();
  });

  it.each<[string, Partial<OwnVmView>]>([
    ['of VNC, which several may look at', { display: 'vnc' }],
    ['that ended with its VM', { display: 'spice', why: { console: { code: 'not-running' } } }]
  ])('asks again for a display %s', async (_, vm) => {
    pools.showVms(anOwnVm(vm));

    await tickets.ask(true);

    expect(pools.openConsole).toHaveBeenCalledTimes(1);
  });

  it('takes a SPICE display back once the person has agreed', async () => {
    pools.showVms(anOwnVm({ display: 'spice', console: 'open' }));
    tickets.agree();

    await tickets.ask(true);

    expect(pools.openConsole).toHaveBeenCalledTimes(1);
  });

  it('takes a console over once, after the person has agreed', async () => {
    pools.showVms(anOwnVm({ console: 'inUse' }));
    tickets.agree();

    await tickets.ask();

    expect(pools.openConsole).toHaveBeenCalledTimes(1);
    await expect(tickets.ask()).rejects.toMatchObject({ code: 'console-in-use' });
  });
});
