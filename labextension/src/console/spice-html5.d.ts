/** The parts of spice-html5 that we use or override; it comes without types. */

declare module '@spice-project/spice-html5/src/spiceconn.js' {
  export interface ISpiceConnOptions {
    readonly uri: string;
    readonly password?: string;
    readonly screen_id?: string;
    readonly parent?: SpiceConn;
    readonly connection_id?: number;
    readonly type?: number;
    readonly chan_id?: number;
  }

  export interface ISpiceMessage {
    readonly type: number;
    readonly data: ArrayBuffer;
  }

  /** One channel: a socket of its own. */
  export class SpiceConn {
    constructor(options: ISpiceConnOptions);
    ws: WebSocket | undefined;
    connection_id: number;
    state: string;
    onerror: (() => void) | undefined;
    log_info(): void;
    log_warn(): void;
    log_err(): void;
    send_msg(message: object): void;
    /** The password, encrypted. */
    send_ticket(ticket: readonly number[]): void;
    process_channel_message(message: ISpiceMessage): boolean;
  }
}

declare module '@spice-project/spice-html5/src/main.js' {
  import { SpiceConn } from '@spice-project/spice-html5/src/spiceconn.js';

  export class SpiceMainConn extends SpiceConn {
    display: SpiceConn | undefined;
    inputs: SpiceConn | undefined;
    cursor: SpiceConn | undefined;
    mouse_mode: number;
    /** Closes all channels and removes the screen. */
    stop(): void;
  }
}

declare module '@spice-project/spice-html5/src/display.js' {
  import { SpiceConn } from '@spice-project/spice-html5/src/spiceconn.js';

  export interface ISpiceSurface {
    readonly surface_id: number;
    readonly canvas: HTMLCanvasElement & { sc?: SpiceConn };
  }

  export class SpiceDisplayConn extends SpiceConn {
    primary_surface: number | undefined;
    hook_events(): void;
    unhook_events(): void;
    delete_surface(id: number): void;
    destroy_surfaces(): void;
  }
}

declare module '@spice-project/spice-html5/src/cursor.js' {
  import { SpiceConn } from '@spice-project/spice-html5/src/spiceconn.js';

  export class SpiceCursorConn extends SpiceConn {}
}

declare module '@spice-project/spice-html5/src/inputs.js' {
  import { SpiceConn } from '@spice-project/spice-html5/src/spiceconn.js';

  export class SpiceInputsConn extends SpiceConn {
    mouse_mode: number;
  }

  /** What is read of a mouse event. */
  export interface IMouseNews {
    readonly offsetX: number;
    readonly offsetY: number;
    readonly button: number;
    readonly deltaY: number;
    preventDefault(): void;
  }

  export function handle_mousemove(this: HTMLCanvasElement, event: IMouseNews): void;
  export function handle_mousedown(this: HTMLCanvasElement, event: IMouseNews): void;
  export function handle_mouseup(this: HTMLCanvasElement, event: IMouseNews): void;
  export function handle_mousewheel(this: HTMLCanvasElement, event: IMouseNews): void;
}

declare module '@spice-project/spice-html5/src/spicemsg.js' {
  export class SpiceMsgChannels {
    constructor(data: ArrayBuffer);
    readonly channels: readonly { readonly type: number; readonly id: number }[];
  }

  export class SpiceMiniData {
    build_msg(
      type: number,
      content: { buffer_size(): number; to_buffer(buffer: ArrayBuffer): void }
    ): void;
  }
}

declare module '@spice-project/spice-html5/src/enums.js' {
  export const Constants: {
    readonly SPICE_MSG_MAIN_CHANNELS_LIST: number;
    readonly SPICE_MSG_INPUTS_INIT: number;
    readonly SPICE_MSGC_INPUTS_KEY_DOWN: number;
    readonly SPICE_MSGC_INPUTS_KEY_UP: number;
    readonly SPICE_CHANNEL_DISPLAY: number;
    readonly SPICE_CHANNEL_INPUTS: number;
    readonly SPICE_CHANNEL_CURSOR: number;
  };
}
