/**
 * Forms that say what a transaction says in a way that the grammar does not allow (docs/transaction.cddl, RFC 8949
 * section 4.2.1), each signed properly over the bytes it carries, so that its form is all that is wrong with it.
 */
import {
  aadOf,
  type Cbor,
  cbor,
  coseOf,
  head,
  type Keys,
  map,
  type Order,
  PROTECTED,
  payloadOf,
  Raw,
  signPayload,
} from "./independent-client.ts";

/** A form with its name. */
export type Form = { readonly name: string; readonly bytes: Buffer };

/** What the forms are made from: an order that would be accepted. */
export type FormGround = { readonly keys: Keys; readonly genesisHash: Buffer; readonly order: Order };

const hex = (text: string): Buffer => Buffer.from(text, "hex");
const zeros = (count: number): Buffer => Buffer.alloc(count);

/** Every malformed form: of the envelope, of the payload and of each body. */
export function malformedForms(ground: FormGround): Form[] {
  return [...envelopeForms(ground), ...payloadForms(ground), ...bodyForms(ground)];
}

function envelopeForms({ keys, genesisHash, order }: FormGround): Form[] {
  const aad = aadOf(genesisHash);
  const payload = payloadOf(keys.publicKey, order);
  const signature = signPayload(keys, aad, payload);
  const good = coseOf(payload, signature);
  const untagged = good.subarray(1);
  const parts = (...items: readonly Cbor[]): Buffer => Buffer.concat([hex("d2"), cbor(items)]);
  const kid = map([4, Buffer.from("sensor-1")]);
  return [
    { name: "one byte", bytes: hex("d2") },
    { name: "not CBOR", bytes: hex("ffffffff") },
    { name: "text", bytes: Buffer.from('{"type":1}') },
    { name: "a byte left over", bytes: Buffer.concat([good, zeros(1)]) },
    { name: "the last byte missing", bytes: good.subarray(0, -1) },
    { name: "half of it", bytes: good.subarray(0, good.length >> 1) },
    { name: "no tag", bytes: untagged },
    { name: "tag 17 (COSE_Mac0)", bytes: Buffer.concat([hex("d1"), untagged]) },
    { name: "tag 98 (COSE_Sign)", bytes: Buffer.concat([hex("d862"), untagged]) },
    { name: "tag 18 in two bytes", bytes: Buffer.concat([hex("d812"), untagged]) },
    { name: "tagged twice", bytes: Buffer.concat([hex("d2"), good]) },
    { name: "an array of three", bytes: parts(PROTECTED, map(), payload) },
    { name: "an array of five", bytes: parts(PROTECTED, map(), payload, signature, 0) },
    { name: "an array of four in two bytes", bytes: Buffer.concat([hex("d29804"), untagged.subarray(1)]) },
    { name: "an array of indefinite length", bytes: Buffer.concat([hex("d29f"), untagged.subarray(1), hex("ff")]) },
    { name: "an empty protected header", bytes: parts(zeros(0), map(), payload, signature) },
    { name: "a protected header not wrapped", bytes: parts(new Raw("a10127"), map(), payload, signature) },
    { name: "a protected header for ES256", bytes: parts(hex("a10126"), map(), payload, signature) },
    { name: "a kid in the protected header", bytes: parts(hex("a20127044161"), map(), payload, signature) },
    { name: "a kid in the unprotected header", bytes: parts(PROTECTED, kid, payload, signature) },
    { name: "the algorithm in two bytes", bytes: parts(hex("a1013807"), map(), payload, signature) },
    { name: "an unprotected header of indefinite length", bytes: parts(PROTECTED, new Raw("bfff"), payload, signature) },
    { name: "an unprotected header in two bytes", bytes: parts(PROTECTED, new Raw("b800"), payload, signature) },
    { name: "a detached payload", bytes: parts(PROTECTED, map(), new Raw("f6"), signature) },
    { name: "a payload not wrapped", bytes: parts(PROTECTED, map(), new Raw(payload), signature) },
    {
      name: "a payload in chunks",
      bytes: parts(PROTECTED, map(), new Raw(Buffer.concat([hex("5f"), cbor(payload), hex("ff")])), signature),
    },
    { name: "a payload with a longer length than needed", bytes: parts(PROTECTED, map(), longBytes(payload), signature) },
    { name: "an empty payload", bytes: parts(PROTECTED, map(), zeros(0), signature) },
    { name: "a signature of 63 bytes", bytes: parts(PROTECTED, map(), payload, signature.subarray(1)) },
    { name: "a signature of 65 bytes", bytes: parts(PROTECTED, map(), payload, Buffer.concat([signature, zeros(1)])) },
    { name: "no signature", bytes: parts(PROTECTED, map(), payload, zeros(0)) },
  ];
}

/** A byte string whose length takes four bytes, where fewer would do. */
function longBytes(content: Buffer): Raw {
  const length = Buffer.alloc(5);
  length[0] = 0x5a;
  length.writeUInt32BE(content.length, 1);
  return new Raw(Buffer.concat([length, content]));
}

function payloadForms({ keys, genesisHash, order }: FormGround): Form[] {
  const { publicKey } = keys;
  const signed = (name: string, payload: Buffer): Form => ({
    name: `payload: ${name}`,
    bytes: coseOf(payload, signPayload(keys, aadOf(genesisHash), payload)),
  });
  const fields: readonly (readonly [number, Cbor])[] = [
    [1, order.type],
    [2, publicKey],
    [3, order.nonce],
    [4, order.fee],
    [5, order.validUntil],
    [6, order.body],
  ];
  const withField = (key: number, value: Cbor): Buffer => cbor(new Map(fields.map(([k, v]) => [k, k === key ? value : v])));
  const pairs = (list: readonly (readonly [Cbor, Cbor])[]): Buffer =>
    Buffer.concat([head(5, BigInt(list.length)), ...list.flatMap(([k, v]) => [cbor(k), cbor(v)])]);
  const good = cbor(new Map(fields));
  return [
    signed("a byte left over", Buffer.concat([good, zeros(1)])),
    signed("a list", cbor(fields.map(([, value]) => value))),
    signed("a map of indefinite length", Buffer.concat([hex("bf"), good.subarray(1), hex("ff")])),
    signed("a map's size in two bytes", Buffer.concat([hex("b806"), good.subarray(1)])),
    signed("keys in another order", pairs([...fields.slice(1), ...fields.slice(0, 1)])),
    signed("a key twice", pairs([...fields.slice(0, 5), [5, order.validUntil], ...fields.slice(5)])),
    signed("an unknown key", pairs([...fields, [7, 0]])),
    signed("a negative key", pairs([...fields, [new Raw("20"), 0]])),
    signed("keys as text", pairs(fields.map(([key, value]) => [String(key), value]))),
    signed("a key in two bytes", Buffer.concat([hex("a61801"), good.subarray(2)])),
    ...fields.map(([key]) => signed(`no key ${key}`, pairs(fields.filter(([other]) => other !== key)))),
    signed("type 0", withField(1, 0)),
    signed("type 15", withField(1, 15)),
    signed("a type in two bytes", withField(1, new Raw(Buffer.from([0x18, order.type])))),
    signed("a type as text", withField(1, "transfer")),
    signed("a sender of 31 bytes", withField(2, publicKey.subarray(1))),
    signed("a sender of 33 bytes", withField(2, Buffer.concat([publicKey, zeros(1)]))),
    signed("a sender as text", withField(2, publicKey.toString("hex"))),
    signed("a negative nonce", withField(3, new Raw("20"))),
    signed("a nonce as a float", withField(3, new Raw("f90000"))),
    signed("a nonce as a big number", withField(3, new Raw("c24101"))),
    signed("a nonce in nine bytes", withField(3, new Raw("1b0000000000000000"))),
    signed("a fee beyond 64 bits", withField(4, new Raw("c249010000000000000000"))),
    signed("a fee as text", withField(4, String(order.fee))),
    signed("a fee in nine bytes", withField(4, new Raw(`1b${BigInt(order.fee).toString(16).padStart(16, "0")}`))),
    signed("no fee but null", withField(4, new Raw("f6"))),
    signed("a negative validUntil", withField(5, new Raw("3903e7"))),
    signed("undefined as validUntil", withField(5, new Raw("f7"))),
    signed("a body that is a list", withField(6, [publicKey, 1])),
    signed("a body in a byte string", withField(6, cbor(order.body))),
    signed("no body but null", withField(6, new Raw("f6"))),
  ];
}

function bodyForms({ keys, genesisHash, order }: FormGround): Form[] {
  const to = keys.publicKey;
  const data = Buffer.from("21.5");
  const form = (name: string, type: number, body: Cbor): Form => {
    const payload = payloadOf(keys.publicKey, { ...order, type, body });
    return { name: `body of type ${type}: ${name}`, bytes: coseOf(payload, signPayload(keys, aadOf(genesisHash), payload)) };
  };
  return [
    form("of another type", 1, map([1, "stream"], [3, data])),
    form("no amount", 1, map([1, to])),
    form("a receiver of 31 bytes", 1, map([1, to.subarray(1)], [2, 1])),
    form("a negative amount", 1, map([1, to], [2, new Raw("20")])),
    form("an amount beyond 64 bits", 1, map([1, to], [2, new Raw("c249010000000000000000")])),
    form("an amount as a float", 1, map([1, to], [2, new Raw("fb3ff0000000000000")])),
    form("an amount in two bytes", 1, map([1, to], [2, new Raw("1801")])),
    form("a memo of 65 bytes", 1, map([1, to], [2, 1], [3, zeros(65)])),
    form("a memo as text", 1, map([1, to], [2, 1], [3, "rent"])),
    form("an unknown key", 1, map([1, to], [2, 1], [4, 0])),
    form("keys in another order", 1, map([2, 1], [1, to])),
    form("neither digest nor data", 2, map([1, "stream"])),
    form("digest and data", 2, map([1, "stream"], [2, zeros(32)], [3, data])),
    form("a stream without a name", 2, map([1, ""], [3, data])),
    form("a stream's name of 65 bytes", 2, map([1, "s".repeat(65)], [3, data])),
    form("a stream's name as bytes", 2, map([1, Buffer.from("stream")], [3, data])),
    form("a stream's name that is no UTF-8", 2, map([1, new Raw("62c328")], [3, data])),
    form("no bytes of data", 2, map([1, "stream"], [3, zeros(0)])),
    form("4,097 bytes of data", 2, map([1, "stream"], [3, zeros(4_097)])),
    form("a digest of 31 bytes", 2, map([1, "stream"], [2, zeros(31)])),
    form("a negative count", 2, map([1, "stream"], [3, data], [4, new Raw("20")])),
    form("a period of one time", 2, map([1, "stream"], [3, data], [5, [1]])),
    form("a period of three times", 2, map([1, "stream"], [3, data], [5, [1, 2, 3]])),
    form("a period that ends before it begins", 2, map([1, "stream"], [3, data], [5, [2, 1]])),
    form("no proof", 3, map([1, to], [2, "gauge"], [3, 1], [4, 1])),
    form("a proof of 63 bytes", 3, map([1, to], [2, "gauge"], [3, 1], [4, 1], [5, zeros(63)])),
    form("a label of 65 bytes", 3, map([1, to], [2, "g".repeat(65)], [3, 1], [4, 1], [5, zeros(64)])),
    form("no device", 4, map()),
    form("a device of 33 bytes", 4, map([1, zeros(33)])),
  ];
}
