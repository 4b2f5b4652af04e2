import { settled } from '../fakes';

/** What spice-html5 keeps of a channel at its socket. */
interface IChannel {
  readonly type: number;
  state: string;
  process_message(message: { type: number; size: number; data: ArrayBuffer }): void;
  send_ticket(ticket: readonly number[]): void;
  onerror?: (error: Error) => void;
}

const OPEN = 1;

/** The socket of a channel, with no network behind it. */
export class PlayedSocket extends EventTarget {
  static readonly OPEN = OPEN;
  static all: PlayedSocket[] = [];

  /** The one of this kind of channel. */
  static of(type: number): PlayedSocket {
    const found = PlayedSocket.all.find(({ parent }) => parent.type === type);
    if (!found) {
      throw new Error(`There is no channel ${type}.`);
    }
    return found;
  }

  constructor(
    readonly url: string,
    readonly protocol: string
  ) {
    super();
    PlayedSocket.all.push(this);
  }

  /** The server says this over it, after the greeting. */
  say(type: number, ...numbers: readonly number[]): void {
    const data = new Uint32Array(numbers).buffer;
    this.parent.state = 'ready';
    this.parent.process_message({ type, size: data.byteLength, data });
  }

  sayBytes(type: number, ...bytes: readonly number[]): void {
    const data = new Uint8Array(bytes).buffer;
    this.parent.state = 'ready';
    this.parent.process_message({ type, size: data.byteLength, data });
  }

  send(data: ArrayBuffer): void {
    this.sent.push([...new Uint8Array(data)]);
  }

  close(): void {
    this.isClosed = true;
    this.readyState = 3;
  }

  end(code: number): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code }));
  }

  readonly sent: number[][] = [];
  readonly binaryType = 'arraybuffer';
  readyState: number = OPEN;
  isClosed = false;
  declare parent: IChannel;
}

export const Channel = {
  main: 1,
  display: 2,
  inputs: 3,
  cursor: 4,
  playback: 5,
  record: 6,
  usb: 9
} as const;

const CHANNELS_LIST = 104;
const SURFACE_CREATE = 314;
const SURFACE_DESTROY = 315;
const INPUTS_INIT = 101;
const XRGB = 32;
const PRIMARY = 1;

/** The server offers these channels, the first of each kind. */
export function offer(...types: readonly number[]): void {
  const ids = types.flatMap(type => [type, 0]);
  PlayedSocket.of(Channel.main).sayBytes(CHANNELS_LIST, types.length, 0, 0, 0, ...ids);
}

/** The guest has a screen of this size, in the place of the one before. */
export function showScreen(width: number, height: number, socket = socketOfDisplay()): void {
  socket.say(SURFACE_CREATE, 0, width, height, XRGB, PRIMARY);
}

export function takeScreenAway(socket = socketOfDisplay()): void {
  socket.say(SURFACE_DESTROY, 0);
}

export function hearInputs(): void {
  PlayedSocket.of(Channel.inputs).sayBytes(INPUTS_INIT, 0, 0);
}

/** All that it takes to be connected. */
export async function letIn(): Promise<void> {
  offer(Channel.display, Channel.inputs, Channel.cursor);
  showScreen(960, 600);
  hearInputs();
  await settled();
}

export function socketOfDisplay(): PlayedSocket {
  return PlayedSocket.of(Channel.display);
}

/** jsdom draws nothing. */
export function installDrawing(): void {
  const context = { save: () => undefined, restore: () => undefined };
  Object.assign(HTMLCanvasElement.prototype, { getContext: () => context });
}
