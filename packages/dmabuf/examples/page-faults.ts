// A buffer whose pages are filled when they are touched: node dist/examples/page-faults.js
import { Domain } from "dmabuf";

using domain = Domain.create();
using primes = domain.createPagedBuffer({
  size: 1 << 20,
  name: "primes",
  fill(offset, bytes) {
    console.log(`fills ${bytes.length} bytes at ${offset}`);
    for (let i = 0; i < bytes.length; i++) bytes[i] = isPrime(offset + i) ? 1 : 0;
  },
});
{
  using range = await primes.fault(9970, 10);
  console.log("primes from 9970 on:", range.bytes.join(" "));
}
using _again = await primes.fault(9000, 1000); // one page of it is there already

try {
  await primes.access("read");
} catch (error) {
  console.log(String(error));
}
using _pin = await primes.pin(); // all pages
using access = await primes.access("read");
console.log(
  access.bytes.reduce((sum, byte) => sum + byte),
  "primes below",
  primes.size,
);

function isPrime(n: number): boolean {
  for (let i = 2; i * i <= n; i++) if (n % i === 0) return false;
  return n > 1;
}
