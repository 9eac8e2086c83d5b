/** Addresses as sockets tell them. Pure. */

/** An IPv4 address that came in by an IPv6 socket is the same address. */
export function plainAddress(address: string | undefined): string {
  const text = address ?? 'unknown';
  return text.startsWith('::ffff:') ? text.slice(7) : text;
}
