import type * as Inputs from '@spice-project/spice-html5/src/inputs.js';

type MouseHandlers = Pick<
  typeof Inputs,
  'handle_mousemove' | 'handle_mousedown' | 'handle_mouseup' | 'handle_mousewheel'
>;

/**
 * Hands the mouse on to the guest. A click takes the focus, as everywhere: spice-html5 by itself takes it when the mouse
 * passes, and drops it when the mouse leaves. A button that is let go outside has been let go.
 */
export function hookMouse(canvas: HTMLCanvasElement, handlers: MouseHandlers): void {
  const pass = (handler: (this: HTMLCanvasElement, event: Inputs.IMouseNews) => void) => {
    return (event: MouseEvent): void => handler.call(canvas, within(canvas, event));
  };
  canvas.addEventListener('pointerdown', event => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener('mousedown', () => canvas.focus({ preventScroll: true }));
  canvas.addEventListener('mousedown', pass(handlers.handle_mousedown));
  canvas.addEventListener('mouseup', pass(handlers.handle_mouseup));
  canvas.addEventListener('mousemove', pass(handlers.handle_mousemove));
  canvas.addEventListener('wheel', pass(handlers.handle_mousewheel), { passive: false });
  canvas.addEventListener('contextmenu', event => event.preventDefault());
}

/** While a button is held the mouse may be outside; the guest has no place for that. */
function within(canvas: HTMLCanvasElement, event: MouseEvent): Inputs.IMouseNews {
  return {
    offsetX: between(0, event.offsetX, canvas.width - 1),
    offsetY: between(0, event.offsetY, canvas.height - 1),
    button: event.button,
    deltaY: event instanceof WheelEvent ? event.deltaY : 0,
    preventDefault: () => event.preventDefault()
  };
}

function between(least: number, value: number, most: number): number {
  return Math.min(Math.max(Math.round(value), least), most);
}
