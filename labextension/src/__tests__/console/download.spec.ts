import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ConnectionFile } from '../../api/types';
import { download } from '../../console/download';

const FILE: ConnectionFile = {
  name: 'demo-1.vv',
  type: 'application/x-virt-viewer',
  content: '[virt-viewer]\n'
};

const createObjectURL = jest.fn<(blob: Blob) => string>(() => 'blob:an-address');
const revokeObjectURL = jest.fn<(url: string) => void>();
let clicked: HTMLAnchorElement[];

function onClick(event: MouseEvent): void {
  event.preventDefault();
  clicked.push(event.target as HTMLAnchorElement);
}

beforeEach(() => {
  jest.useFakeTimers();
  clicked = [];
  Object.assign(URL, { createObjectURL, revokeObjectURL });
  document.addEventListener('click', onClick);
});

afterEach(() => {
  document.removeEventListener('click', onClick);
  jest.clearAllMocks();
  jest.useRealTimers();
});

describe('A connection file', () => {
  it('is downloaded under its name and as what it is, with nothing of it in an address', () => {
    download(FILE);

    const blob = createObjectURL.mock.calls[0]?.[0];
    expect([blob?.type, blob?.size]).toEqual([FILE.type, FILE.content.length]);
    expect(clicked.map(link => [link.href, link.download])).toEqual([
      ['blob:an-address', 'demo-1.vv']
    ]);
  });

  it('leaves nothing behind', () => {
    download(FILE);
    jest.runAllTimers();

    expect(document.querySelector('a')).toBeNull();
    expect(revokeObjectURL).toHaveBeenCalledWith('blob:an-address');
  });
});
