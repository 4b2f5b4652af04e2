import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { ApiError } from '../../api/error';
import type { Target } from '../../api/target';
import type { ConnectionFile, VmView } from '../../api/types';
import type { TellRefusal } from '../../model/manager';
import { addConsoleCommand } from '../../plugins/console';
import { CommandIDs } from '../../plugins/ids';
import { aConsole, aFile, anOwnVm, aPool, aVm } from '../builders';
import { FakePools } from '../fakes';

const DEMO = { pool: 'demo' };
const LAB = { vm: 'lab-1' };

let commands: CommandRegistry;
let pools: FakePools;
let confirm: jest.Mock<(vm: VmView) => Promise<boolean>>;
let openTab: jest.Mock<(target: Target) => Promise<void>>;
let handOver: jest.Mock<(file: ConnectionFile) => void>;
let tellRefusal: jest.Mock<TellRefusal>;

beforeEach(() => {
  commands = new CommandRegistry();
  pools = new FakePools();
  confirm = jest.fn<(vm: VmView) => Promise<boolean>>().mockResolvedValue(true);
  openTab = jest.fn<(target: Target) => Promise<void>>().mockResolvedValue();
  handOver = jest.fn<(file: ConnectionFile) => void>();
  tellRefusal = jest.fn<TellRefusal>();
  const trans = nullTranslator.load('vmpool_ext');
  addConsoleCommand(commands, { pools, trans, confirm, openTab, handOver, tellRefusal });
});

describe('The command for a console', () => {
  it('opens a tab without a question where nobody else is', async () => {
    pools.show(aPool({ vm: aVm({ console: 'open' }) }));

    await commands.execute(CommandIDs.console, DEMO);

    expect(openTab).toHaveBeenCalledWith(DEMO);
    expect(confirm).not.toHaveBeenCalled();
  });

  it.each([
    ['is connected', anOwnVm({ console: 'inUse' })],
    ['has it from a pool', anOwnVm({ usedBy: 'bob' })]
  ])('asks before it takes it from who %s', async (_, vm) => {
    pools.showVms(vm);

    await commands.execute(CommandIDs.console, LAB);

    expect(confirm.mock.calls).toEqual([[vm]]);
    expect(openTab).toHaveBeenCalledWith(LAB);
  });

  it('asks nothing of who has opened it already', async () => {
    pools.showVms(anOwnVm({ console: 'open', usedBy: 'bob' }));

    await commands.execute(CommandIDs.console, LAB);

    expect(confirm).not.toHaveBeenCalled();
  });

  it('tells when the answer has no file', async () => {
    pools.show(aPool({ vm: aVm({ display: 'spice' }) }));
    pools.openConsole.mockResolvedValue(aConsole());

    await commands.execute(CommandIDs.console, DEMO);

    const refusal = tellRefusal.mock.calls[0]?.[2];
    expect(refusal?.message).toContain('no file for virt-viewer');
  });

  it('takes nothing when the person says no', async () => {
    confirm.mockResolvedValue(false);
    pools.showVms(anOwnVm({ console: 'inUse', display: 'spice' }));

    await commands.execute(CommandIDs.console, LAB);

    expect(openTab).not.toHaveBeenCalled();
    expect(pools.openConsole).not.toHaveBeenCalled();
  });

  it('hands over the file of a display that no tab shows', async () => {
    pools.show(aPool({ vm: aVm({ display: 'spice' }) }));
    pools.openConsole.mockResolvedValue(aFile());

    await commands.execute(CommandIDs.console, DEMO);

    expect(handOver).toHaveBeenCalledWith(aFile().file);
    expect(openTab).not.toHaveBeenCalled();
  });

  it('tells when there is no file to be had', async () => {
    const refusal = new ApiError('not-running', 'It is off.', 409);
    pools.show(aPool({ vm: aVm({ display: 'spice' }) }));
    pools.openConsole.mockRejectedValue(refusal);

    await commands.execute(CommandIDs.console, DEMO);

    expect(tellRefusal).toHaveBeenCalledWith('console', DEMO, refusal);
    expect(handOver).not.toHaveBeenCalled();
  });
});
