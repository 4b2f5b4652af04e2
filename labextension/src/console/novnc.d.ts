/** The part of noVNC that we use (its docs/API.md); it comes without types. */
declare module '@novnc/novnc' {
  export default class RFB extends EventTarget {
    constructor(
      target: HTMLElement,
      channel: WebSocket,
      options: { shared?: boolean; credentials?: { password: string } }
    );
    background: string;
    scaleViewport: boolean;
    showDotCursor: boolean;
    disconnect(): void;
    focus(): void;
    blur(): void;
    sendCtrlAltDel(): void;
  }
}
