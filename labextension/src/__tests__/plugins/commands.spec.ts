import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import type { Confirm } from '../../plugins/commands';
import { addCommands } from '../../plugins/commands';
import { CommandIDs } from '../../plugins/ids';
import { anOwnVm, aPool } from '../builders';
import { FakePools } from '../fakes';

let commands: CommandRegistry;
let pools: FakePools;
let confirm: jest.Mock<Confirm>;

beforeEach(() => {
  commands = new CommandRegistry();
  pools = new FakePools();
  pools.show(aPool());
  confirm = jest.fn<Confirm>().mockResolvedValue(true);
  addCommands(commands, pools, nullTranslator.load('vmpool_ext'), confirm);
});

const DEEDS = ['start', 'stop', 'reset', 'release'] as const;
const HARMFUL = ['stop', 'reset', 'release'] as const;
const ARGS = { pool: 'demo' };

describe('The commands', () => {
  it.each(DEEDS)('have %s for a pool', async deed => {
    await commands.execute(CommandIDs[deed], ARGS);

    expect(pools[deed]).toHaveBeenCalledWith(ARGS);
  });

  it.each(['start', 'stop', 'reset'] as const)('have %s for a VM of its own', async deed => {
    pools.showVms(anOwnVm());

    await commands.execute(CommandIDs[deed], { vm: 'lab-1' });

    expect(commands.isEnabled(CommandIDs[deed], { vm: 'lab-1' })).toBe(true);
    expect(pools[deed]).toHaveBeenCalledWith({ vm: 'lab-1' });
  });

  it('give nothing back that is from no pool', async () => {
    pools.showVms(anOwnVm());

    await commands.execute(CommandIDs.release, { vm: 'lab-1' });

    expect(commands.isEnabled(CommandIDs.release, { vm: 'lab-1' })).toBe(false);
    expect(pools.release).not.toHaveBeenCalled();
  });

  it('start without a question', async () => {
    await commands.execute(CommandIDs.start, ARGS);

    expect(confirm).not.toHaveBeenCalled();
  });

  it.each(HARMFUL)('ask once before %s', async deed => {
    await commands.execute(CommandIDs[deed], ARGS);

    expect(confirm.mock.calls).toEqual([[deed, ARGS]]);
  });

  it.each(HARMFUL)('do not %s when the person says no', async deed => {
    confirm.mockResolvedValue(false);

    await commands.execute(CommandIDs[deed], ARGS);

    expect(pools[deed]).not.toHaveBeenCalled();
  });

  it.each(DEEDS)('enable %s as the server says', deed => {
    expect(commands.isEnabled(CommandIDs[deed], ARGS)).toBe(true);

    pools.show(aPool({ why: { [deed]: { code: 'any' } } }));

    expect(commands.isEnabled(CommandIDs[deed], ARGS)).toBe(false);
  });

  it('are disabled without a pool, for an unknown one, and while the server is asked', () => {
    expect(commands.isEnabled(CommandIDs.start)).toBe(false);
    expect(commands.isEnabled(CommandIDs.start, { pool: 'unknown' })).toBe(false);

    pools.waitingFor = 'start';

    expect(commands.isEnabled(CommandIDs.start, ARGS)).toBe(false);
  });

  it('refuse to run without a pool', async () => {
    await expect(commands.execute(CommandIDs.start)).rejects.toThrow('name of a pool or a VM');
  });

  it('say that they changed when the picture did', () => {
    const changed: (string | undefined)[] = [];
    commands.commandChanged.connect((_, { id }) => changed.push(id));

    pools.show(aPool());

    expect(changed).toEqual(DEEDS.map(deed => CommandIDs[deed]));
  });

  it('describe their arguments', async () => {
    const { args } = await commands.describedBy(CommandIDs.stop);

    expect(args).toMatchObject({ oneOf: [{ required: ['pool'] }, { required: ['vm'] }] });
  });

  it('are called by what they do, and to which pool', () => {
    expect(commands.label(CommandIDs.release)).toBe('Give back');
    expect(commands.label(CommandIDs.release, ARGS)).toBe('Give back demo');
  });
});
