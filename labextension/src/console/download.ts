import type { ConnectionFile } from '../api/types';

/** Long enough for any browser to have begun with it; what is in it is good for seconds only. */
const REVOKED_AFTER = 10_000;

/** Hands the file to the browser's downloads; its content never gets into an address. */
export function download(file: ConnectionFile): void {
  const url = URL.createObjectURL(new Blob([file.content], { type: file.type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = file.name;
  // Firefox does not follow a link that is nowhere.
  link.hidden = true;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), REVOKED_AFTER);
}
