import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LauncherModel } from '@jupyterlab/launcher';
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { CommandIDs } from '../../plugins/ids';
import { addOpenCommand, keepTiles } from '../../plugins/launcher';
import { aPool, aVm } from '../builders';
import { FakePools, settled } from '../fakes';

const trans = nullTranslator.load('vmpool_ext');
const DEMO = { pool: 'demo' };
const STARTING = aPool({
  vm: aVm({ state: 'starting' }),
  why: { start: { code: 'already-running' }, console: { code: 'not-running' } }
});
const RUNNING = aPool({ vm: aVm(), why: { start: { code: 'already-running' } } });

let pools: FakePools;

beforeEach(() => {
  pools = new FakePools();
});

describe('The launcher', () => {
  it('has a tile for each pool, that comes and goes with it', () => {
    const model = new LauncherModel();
    const tiles = () => [...model.items()].map(({ args, category }) => [args?.pool, category]);
    pools.show(aPool({ name: 'a' }));
    keepTiles(model, pools, trans);
    expect(tiles()).toEqual([['a', 'VM Pools']]);

    pools.show(aPool({ name: 'a' }), aPool({ name: 'b' }));
    expect(tiles()).toEqual([
      ['a', 'VM Pools'],
      ['b', 'VM Pools']
    ]);

    pools.show(aPool({ name: 'b' }));
    expect(tiles()).toEqual([['b', 'VM Pools']]);
  });

  it('leaves the tiles alone when pools are only otherwise', () => {
    const model = new LauncherModel();
    pools.show(aPool());
    keepTiles(model, pools, trans);
    const changed = jest.fn();
    model.stateChanged.connect(changed);

    pools.show(aPool({ free: 0 }));

    expect(changed).not.toHaveBeenCalled();
  });
});

describe('A tile', () => {
  let commands: CommandRegistry;
  let done: [string, ReadonlyPartialJSONObject][];

  function addRecorded(id: string): void {
    commands.addCommand(id, { execute: args => void done.push([id, args]) });
  }

  beforeEach(() => {
    commands = new CommandRegistry();
    done = [];
    [CommandIDs.start, CommandIDs.console, CommandIDs.openPanel].forEach(addRecorded);
    addOpenCommand(commands, pools, trans);
  });

  it('is called like its pool', () => {
    expect(commands.label(CommandIDs.open, DEMO)).toBe('demo');
    expect(commands.caption(CommandIDs.open, DEMO)).toContain('demo');
  });

  it('starts the VM with the panel in sight, and opens the console once that can be opened', async () => {
    pools.show(aPool());
    pools.start.mockResolvedValue();
    commands.commandExecuted.connect(
      (_, { id }) => id === CommandIDs.start && pools.show(STARTING)
    );

    await commands.execute(CommandIDs.open, DEMO);
    await settled();
    expect(done).toEqual([
      [CommandIDs.openPanel, {}],
      [CommandIDs.start, DEMO]
    ]);

    pools.show(RUNNING);
    await settled();

    expect(done.at(-1)).toEqual([CommandIDs.console, DEMO]);
  });

  it('opens the console of a VM that runs already, and starts nothing', async () => {
    pools.show(RUNNING);

    await commands.execute(CommandIDs.open, DEMO);
    await settled();

    expect(done).toEqual([[CommandIDs.console, DEMO]]);
  });

  it('waits on when the picture shows the VM assigned before it shows it starting', async () => {
    pools.show({ ...STARTING, vm: aVm({ state: 'stopped' }) });

    await commands.execute(CommandIDs.open, DEMO);
    pools.show(STARTING);
    pools.show(RUNNING);
    await settled();

    expect(done.at(-1)).toEqual([CommandIDs.console, DEMO]);
  });

  it('opens nothing when the VM was stopped on the way', async () => {
    pools.show(STARTING);

    await commands.execute(CommandIDs.open, DEMO);
    pools.show({ ...STARTING, vm: aVm({ state: 'stopped' }) });
    pools.show(RUNNING);
    await settled();

    expect(done).toEqual([]);
  });

  it('opens one console, however often it is pressed', async () => {
    pools.show(STARTING);

    await commands.execute(CommandIDs.open, DEMO);
    await commands.execute(CommandIDs.open, DEMO);
    pools.show(RUNNING);
    await settled();

    expect(done).toEqual([[CommandIDs.console, DEMO]]);
  });

  it.each([
    ['was refused', aPool({ why: { console: { code: 'nothing-assigned' } } })],
    ['failed', { ...STARTING, vm: aVm({ state: 'failed' }) }],
    ['came to a failed login', { ...RUNNING, why: { console: { code: 'login-failed' } } }],
    ['may not be seen', { ...RUNNING, why: { console: { code: 'permission-missing' } } }]
  ])('opens nothing when the start %s', async (_, pool) => {
    pools.show(STARTING);
    await commands.execute(CommandIDs.open, DEMO);

    pools.show(pool);
    await settled();
    pools.show(RUNNING);
    await settled();

    expect(done).toEqual([]);
  });
});
