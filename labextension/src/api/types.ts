import type { components } from './schema';

/** What the server says, by the names of its contract: `schema.ts` is made from openapi.yaml by `jlpm generate:types`. */
type Schemas = components['schemas'];

export type ConnectionFile = Schemas['ConnectionFile'];
export type ConsoleAccess = Schemas['Console'];
export type ConsoleState = Schemas['ConsoleState'];
export type DisplayEngine = Schemas['DisplayEngine'];
export type Fault = Schemas['Fault'];
export type Me = Schemas['Me'];
export type Notice = Schemas['Notice'];
export type Permission = Schemas['Permission'];
export type PoolAction = keyof Schemas['PoolReasons'];
/** What a person can do: also to have the console's file for virt-viewer, which is another way to open it. */
export type UserAction = PoolAction | 'file';
export type Deed = Exclude<PoolAction, 'console'>;
export type VmState = Schemas['VmState'];
export type VmView = Schemas['VmView'];

/** The same fields, some of a wider type. */
type With<Whole, Wider extends Partial<Record<keyof Whole, unknown>>> = Omit<Whole, keyof Wider> &
  Readonly<Wider>;

// A newer server may have more codes than there are words for here: those are told as they are.
export type Problem = With<Schemas['Problem'], { code: string }>;
export type Reason = With<Partial<Schemas['Reason']>, { code: string }>;

/** For every action that is not to be had: why. */
export type Whys = { readonly [Action in PoolAction]?: Reason };

export type PoolView = With<Schemas['PoolView'], { why: Whys }>;
/** A VM on which the user has a grant of their own. */
export type OwnVmView = With<Schemas['OwnVmView'], { why: Whys }>;
export type Health = With<Schemas['Health'], { problem: Problem | null }>;
export type Picture = With<
  Schemas['Picture'],
  { pools: readonly PoolView[]; vms: readonly OwnVmView[]; problem: Problem | null }
>;
