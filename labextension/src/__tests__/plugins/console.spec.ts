import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { ApiError } from '../../api/error';
import type { Target } from '../../api/target';
import type { ConnectionFile, VmView } from '../../api/types';
import type { TellRefusal } from '../../model/manager';
import { addConsoleCommands } from '../../plugins/console';
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
  addConsoleCommands(commands, { pools, trans, confirm, openTab, handOver, tellRefusal });
});

describe('The commands for a console', () => {
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

  it('opens a tab for a SPICE display too', async () => {
    pools.show(aPool({ vm: aVm({ display: 'spice', connectionFile: true }) }));

    await commands.execute(CommandIDs.console, DEMO);

    expect(openTab).toHaveBeenCalledWith(DEMO);
    expect(pools.openConsole).not.toHaveBeenCalled();
  });

  it.each([CommandIDs.console, CommandIDs.file])(
    'take nothing by %s when the person says no',
    async command => {
      confirm.mockResolvedValue(false);
      pools.showVms(anOwnVm({ console: 'inUse', display: 'spice', connectionFile: true }));

      await commands.execute(command, LAB);

      expect(confirm).toHaveBeenCalledTimes(1);
      expect(openTab).not.toHaveBeenCalled();
      expect(pools.openConsole).not.toHaveBeenCalled();
    }
  );
});

describe('The command for a file', () => {
  beforeEach(() => pools.show(aPool({ vm: aVm({ display: 'spice', connectionFile: true }) })));

  it('hands it over, and opens no tab', async () => {
    pools.openConsole.mockResolvedValue(aFile());

    await commands.execute(CommandIDs.file, DEMO);

    expect(handOver).toHaveBeenCalledWith(aFile().file);
    expect(openTab).not.toHaveBeenCalled();
  });

  it('takes a console over once the person has agreed', async () => {
    pools.showVms(anOwnVm({ console: 'inUse', display: 'spice', connectionFile: true }));
    pools.openConsole.mockResolvedValue(aFile());

    await commands.execute(CommandIDs.file, LAB);

    expect(confirm).toHaveBeenCalledTimes(1);
    expect(handOver).toHaveBeenCalledWith(aFile().file);
  });

  it('is there only where the server has one', () => {
    expect(commands.isEnabled(CommandIDs.file, DEMO)).toBe(true);

    pools.show(aPool({ vm: aVm({ display: 'spice' }) }));

    expect(commands.isEnabled(CommandIDs.file, DEMO)).toBe(false);
  });

  it('tells when the answer has no file', async () => {
    pools.openConsole.mockResolvedValue(aConsole());

    await commands.execute(CommandIDs.file, DEMO);

    const refusal = tellRefusal.mock.calls[0]?.[2];
    expect(refusal?.message).toContain('no file for virt-viewer');
  });

  it('tells when there is no file to be had', async () => {
    const refusal = new ApiError('not-running', 'It is off.', 409);
    pools.openConsole.mockRejectedValue(refusal);

    await commands.execute(CommandIDs.file, DEMO);

    expect(tellRefusal).toHaveBeenCalledWith('file', DEMO, refusal);
    expect(handOver).not.toHaveBeenCalled();
  });
});
