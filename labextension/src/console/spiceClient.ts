import type * as Cursor from '@spice-project/spice-html5/src/cursor.js';
import type * as Screen from '@spice-project/spice-html5/src/display.js';
import type * as Enums from '@spice-project/spice-html5/src/enums.js';
import type * as Keys from '@spice-project/spice-html5/src/inputs.js';
import type * as Main from '@spice-project/spice-html5/src/main.js';
import type {
  ISpiceConnOptions,
  ISpiceMessage,
  SpiceConn
} from '@spice-project/spice-html5/src/spiceconn.js';
import type * as Messages from '@spice-project/spice-html5/src/spicemsg.js';

/** spice-html5 as it is; what we want otherwise, we override here. */
export type SpiceLibrary = typeof Main &
  typeof Screen &
  typeof Keys &
  typeof Cursor &
  typeof Messages &
  typeof Enums;

export interface ISpiceEvents {
  /** The guest has a screen: the first, or another in its place. */
  onScreen(canvas: HTMLCanvasElement): void;
  /** Keys and mouse are heard. */
  onInputs(): void;
  /** A channel is over, by the server's or the network's doing. */
  onClosed(code: number): void;
  /** A channel is over for another reason: a wrong password, or words that make no sense. */
  onBroken(): void;
}

/** A connection to a SPICE display. */
export interface ISpiceClient {
  sendKey(scancode: readonly number[], isDown: boolean): void;
  stop(): void;
}

export type SpiceClientConstructor = new (
  options: { readonly uri: string; readonly password: string; readonly screen_id: string },
  events: ISpiceEvents
) => ISpiceClient;

/** The main channel, and the three others that a console is made of. What else a server offers is not opened. */
export function spiceClientOf(library: SpiceLibrary): SpiceClientConstructor {
  const { SpiceMainConn, SpiceCursorConn, SpiceMsgChannels, SpiceMiniData, Constants } = library;
  const Display = displayOf(library);
  const Inputs = inputsOf(library);

  return class Client extends SpiceMainConn implements ISpiceClient {
    constructor(
      options: ISpiceConnOptions,
      private readonly _events: ISpiceEvents
    ) {
      super(options);
      this._uri = options.uri;
      adopt(this, _events);
    }

    override process_channel_message(message: ISpiceMessage): boolean {
      if (message.type !== Constants.SPICE_MSG_MAIN_CHANNELS_LIST) {
        return super.process_channel_message(message);
      }
      new SpiceMsgChannels(message.data).channels.forEach(({ type, id }) => this._open(type, id));
      return true;
    }

    sendKey(scancode: readonly number[], isDown: boolean): void {
      if (this.inputs?.state === 'ready') {
        const { SPICE_MSGC_INPUTS_KEY_DOWN, SPICE_MSGC_INPUTS_KEY_UP } = Constants;
        const message = new SpiceMiniData();
        message.build_msg(isDown ? SPICE_MSGC_INPUTS_KEY_DOWN : SPICE_MSGC_INPUTS_KEY_UP, {
          buffer_size: () => BYTES_OF_A_KEY,
          to_buffer: buffer => new Uint8Array(buffer).set(scancode)
        });
        this.inputs.send_msg(message);
      }
    }

    private _open(type: number, id: number): void {
      const { SPICE_CHANNEL_DISPLAY, SPICE_CHANNEL_INPUTS, SPICE_CHANNEL_CURSOR } = Constants;
      const { _uri: uri, connection_id } = this;
      const channel = { uri, parent: this, connection_id, type, chan_id: id };
      if (type === SPICE_CHANNEL_DISPLAY && id === FIRST_SCREEN) {
        this.display = adopt(new Display(channel, this._events), this._events);
      } else if (type === SPICE_CHANNEL_INPUTS) {
        this.inputs = adopt(new Inputs(channel, this.mouse_mode, this._events), this._events);
      } else if (type === SPICE_CHANNEL_CURSOR) {
        this.cursor = adopt(new SpiceCursorConn(channel), this._events);
      }
    }

    private readonly _uri: string;
  };
}

const BYTES_OF_A_KEY = 4;
const FIRST_SCREEN = 0;

type DisplayConstructor = new (options: ISpiceConnOptions, events: ISpiceEvents) => SpiceConn;

function displayOf({ SpiceDisplayConn }: SpiceLibrary): DisplayConstructor {
  return class Display extends SpiceDisplayConn {
    constructor(
      options: ISpiceConnOptions,
      private readonly _events: ISpiceEvents
    ) {
      super(options);
      this._parent = options.parent;
    }

    override hook_events(): void {
      const canvas = this.surfaces[this.primary_surface ?? 0]?.canvas;
      if (canvas) {
        // By this the handlers of the mouse find the inputs.
        Object.assign(canvas, { sc: this._parent });
        this._events.onScreen(canvas);
      }
    }

    override unhook_events(): void {
      // What is hooked goes with the canvas.
    }

    /** spice-html5 looks for the canvas in the whole page, by an id that each console in it has. */
    override delete_surface(id: number): void {
      if (this.primary_surface === id) {
        this.primary_surface = undefined;
        takeAway(this.surfaces[id]?.canvas);
      }
      delete this.surfaces[id];
    }

    override destroy_surfaces(): void {
      // A picture that is still being decoded looks for its surface later.
      Object.values(this.surfaces).forEach(({ surface_id }) => this.delete_surface(surface_id));
    }

    readonly surfaces: Record<number, Screen.ISpiceSurface> = {};
    // Looked into before there is anything in them.
    readonly streams: object[] = [];
    readonly cache = {};
    private readonly _parent: SpiceConn | undefined;
  };
}

/** Keys that are pressed until there is another one are the guest's too. */
function takeAway(canvas: HTMLCanvasElement | undefined): void {
  if (document.activeElement === canvas) {
    canvas?.parentElement?.focus({ preventScroll: true });
  }
  canvas?.remove();
}

type InputsConstructor = new (
  options: ISpiceConnOptions,
  mouseMode: number,
  events: ISpiceEvents
) => SpiceConn;

function inputsOf({ SpiceInputsConn, Constants }: SpiceLibrary): InputsConstructor {
  return class Inputs extends SpiceInputsConn {
    constructor(
      options: ISpiceConnOptions,
      mouseMode: number,
      private readonly _events: ISpiceEvents
    ) {
      super(options);
      this.mouse_mode = mouseMode;
    }

    override process_channel_message(message: ISpiceMessage): boolean {
      const isKnown = super.process_channel_message(message);
      if (message.type === Constants.SPICE_MSG_INPUTS_INIT) {
        this._events.onInputs();
      }
      return isKnown;
    }
  };
}

/** What holds for each channel. */
function adopt(conn: SpiceConn, events: ISpiceEvents): SpiceConn {
  // The browser's console is no place for addresses with tickets in them.
  conn.log_info = conn.log_warn = conn.log_err = () => undefined;
  const send = conn.send_ticket;
  conn.send_ticket = ticket => send.call(conn, filled(ticket));
  conn.ws?.addEventListener('close', event => events.onClosed(event.code));
  conn.onerror = () => {
    // Where the socket ends by itself, its end tells why.
    if (conn.ws?.readyState === WebSocket.OPEN) {
      events.onBroken();
    }
  };
  return conn;
}

const BYTES_OF_A_TICKET = 128;

/** An encrypted password is a number: spice-html5 forgets the zeros that one in 256 begins with, and is refused. */
function filled(ticket: readonly number[]): readonly number[] {
  const zeros = Array.from({ length: BYTES_OF_A_TICKET - ticket.length }, () => 0);
  return [...zeros, ...ticket];
}
