import * as React from 'react';

export interface IKeptFocus {
  readonly ref: React.RefObject<HTMLLIElement>;
  readonly onFocus: () => void;
  readonly onBlur: () => void;
}

/** Keeps the focus in the card when the button that had it goes, since the layout is another. */
export function useKeptFocus(layout: unknown): IKeptFocus {
  const ref = React.useRef<HTMLLIElement>(null);
  const hadFocus = React.useRef(false);
  React.useLayoutEffect(() => {
    if (hadFocus.current && !ref.current?.contains(document.activeElement)) {
      ref.current?.querySelector('button')?.focus();
    }
  }, [layout]);
  return {
    ref,
    onFocus: () => void (hadFocus.current = true),
    onBlur: () => void (hadFocus.current = false)
  };
}
