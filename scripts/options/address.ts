import { type Address, getAddress, isAddress } from 'viem';
import { AssayError } from '../../protocol/errors.ts';

/** An account named on the command line, checksummed (EIP-55). @throws AssayError `ADDRESS` */
export function parseAddress(text: string): Address {
  if (isAddress(text)) return getAddress(text);
  throw new AssayError('ADDRESS', {
    summary: 'not an address',
    expected: '0x and 40 hexadecimal digits with a valid checksum',
    received: text,
  });
}
