import * as React from 'react';

export interface IKeptFocus<T extends HTMLElement> {
  readonly ref: React.RefObject<T>;
  readonly onFocus: () => void;
  readonly onBlur: () => void;
}

/** Keeps the focus inside when what had it goes: on the page itself keyboards would begin all over again. */
export function useKeptFocus<T extends HTMLElement>(successor: string): IKeptFocus<T> {
  const ref = React.useRef<T>(null);
  const hadFocus = React.useRef(false);
  React.useLayoutEffect(() => {
    if (hadFocus.current && document.activeElement === document.body) {
      ref.current?.querySelector<HTMLElement>(successor)?.focus();
    }
  });
  return {
    ref,
    onFocus: () => void (hadFocus.current = true),
    onBlur: () => void (hadFocus.current = false)
  };
}
