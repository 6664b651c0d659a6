/*
 * A device in C: signs an anchor and hands it to a node over HTTP or MQTT 5. CBOR, COSE and MQTT are written by hand, so
 * that they can be read; Ed25519 and SHA-256 are OpenSSL's.
 *
 *   cc -std=c11 -O2 -Wall -Wextra -o anchor anchor.c -lcrypto
 *
 *   anchor sign KEY.pem GENESIS NONCE FEE VALID_UNTIL STREAM TEXT
 *   anchor http HOST PORT KEY.pem GENESIS STREAM TEXT
 *   anchor mqtt HOST PORT DEVICE KEY.pem GENESIS NONCE FEE VALID_UNTIL STREAM TEXT
 *
 * KEY.pem: `openssl genpkey -algorithm ed25519`. GENESIS: the genesis hash, 64 hex digits: what a device is told once and
 * never asks a node for. Prints the transaction's id, then what became of it. Exit code 0 when it is final.
 *
 * A real device also keeps the signed bytes until it has seen the end, and sends the same bytes again after every failure.
 */
#define _POSIX_C_SOURCE 200809L
#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TRANSACTION_MAX = 16384, DATA_MAX = 4096, STREAM_MAX = 64, ANSWER_MAX = 65536 };

static void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vfprintf(stderr, format, values);
  va_end(values);
  fputc('\n', stderr);
  exit(1);
}

/* --- bytes, and the part of CBOR that a transaction needs (RFC 8949, shortest heads) --- */

typedef struct {
  uint8_t at[TRANSACTION_MAX];
  size_t size;
} Bytes;

static void put(Bytes *out, const void *bytes, size_t size) {
  if (size > sizeof out->at - out->size) fail("more than %d bytes", TRANSACTION_MAX);
  memcpy(out->at + out->size, bytes, size);
  out->size += size;
}

static void put_byte(Bytes *out, uint8_t byte) { put(out, &byte, 1); }

static void cbor_head(Bytes *out, uint8_t major, uint64_t value) {
  uint8_t type = (uint8_t)(major << 5);
  int width = value < 24 ? 0 : value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;
  if (width == 0) {
    put_byte(out, type | (uint8_t)value);
    return;
  }
  put_byte(out, type | (width == 1 ? 24 : width == 2 ? 25 : width == 4 ? 26 : 27));
  for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) put_byte(out, (uint8_t)(value >> shift));
}

static void cbor_uint(Bytes *out, uint64_t value) { cbor_head(out, 0, value); }

static void cbor_bytes(Bytes *out, const void *bytes, size_t size) {
  cbor_head(out, 2, size);
  put(out, bytes, size);
}

static void cbor_text(Bytes *out, const char *text) {
  cbor_head(out, 3, strlen(text));
  put(out, text, strlen(text));
}

/* --- the transaction: docs/transaction.cddl --- */

typedef struct {
  EVP_PKEY *key;
  uint8_t public_key[32];
  uint8_t aad[42]; /* external_aad: "bizra/tx/1" | genesis hash */
} Device;

typedef struct {
  uint64_t nonce, fee, valid_until;
} Terms;

static const uint8_t PROTECTED_HEADER[] = {0xa1, 0x01, 0x27}; /* { 1: -8 }: EdDSA */

static void anchor_payload(Bytes *out, const Device *device, Terms terms, const char *stream, const char *text) {
  cbor_head(out, 5, 6); /* a map of 6 */
  cbor_uint(out, 1), cbor_uint(out, 2); /* type: anchor */
  cbor_uint(out, 2), cbor_bytes(out, device->public_key, 32);
  cbor_uint(out, 3), cbor_uint(out, terms.nonce);
  cbor_uint(out, 4), cbor_uint(out, terms.fee);
  cbor_uint(out, 5), cbor_uint(out, terms.valid_until);
  cbor_uint(out, 6), cbor_head(out, 5, 2); /* body, a map of 2 */
  cbor_uint(out, 1), cbor_text(out, stream);
  cbor_uint(out, 3), cbor_bytes(out, text, strlen(text));
}

/* The COSE_Sign1 of a payload (RFC 9052), and the transaction's id. */
static void sign_payload(Bytes *out, uint8_t id[32], const Device *device, const Bytes *payload) {
  Bytes signed_bytes = {.size = 0}; /* Sig_structure */
  cbor_head(&signed_bytes, 4, 4);
  cbor_text(&signed_bytes, "Signature1");
  cbor_bytes(&signed_bytes, PROTECTED_HEADER, sizeof PROTECTED_HEADER);
  cbor_bytes(&signed_bytes, device->aad, sizeof device->aad);
  cbor_bytes(&signed_bytes, payload->at, payload->size);

  uint8_t signature[64];
  size_t signature_size = sizeof signature;
  EVP_MD_CTX *signing = EVP_MD_CTX_new();
  if (!signing || EVP_DigestSignInit(signing, NULL, NULL, NULL, device->key) != 1 ||
      EVP_DigestSign(signing, signature, &signature_size, signed_bytes.at, signed_bytes.size) != 1 || signature_size != 64)
    fail("the key does not sign");
  EVP_MD_CTX_free(signing);

  out->size = 0;
  cbor_head(out, 6, 18); /* the tag of COSE_Sign1 */
  cbor_head(out, 4, 4);
  cbor_bytes(out, PROTECTED_HEADER, sizeof PROTECTED_HEADER);
  cbor_head(out, 5, 0); /* no unprotected header */
  cbor_bytes(out, payload->at, payload->size);
  cbor_bytes(out, signature, sizeof signature);

  Bytes named = {.size = 0}; /* the id does not cover the signature */
  put(&named, device->aad, sizeof device->aad);
  put(&named, payload->at, payload->size);
  SHA256(named.at, named.size, id);
}

static void parse_hex32(uint8_t out[32], const char *hex) {
  if (strlen(hex) != 64 || strspn(hex, "0123456789abcdefABCDEF") != 64) fail("expected 64 hex digits, got %s", hex);
  for (int i = 0; i < 32; i++) {
    char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
    out[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
}

static void format_hex(char *out, const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) sprintf(out + 2 * i, "%02x", bytes[i]);
}

static Device open_device(const char *key_path, const char *genesis_hash) {
  Device device = {0};
  FILE *file = fopen(key_path, "r");
  if (!file) fail("cannot read %s", key_path);
  device.key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
  fclose(file);
  size_t size = sizeof device.public_key;
  if (!device.key || EVP_PKEY_get_raw_public_key(device.key, device.public_key, &size) != 1 || size != 32)
    fail("%s holds no Ed25519 key", key_path);
  memcpy(device.aad, "bizra/tx/1", 10);
  parse_hex32(device.aad + 10, genesis_hash);
  return device;
}

static uint64_t parse_number(const char *text) {
  char *end = NULL;
  uint64_t value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != 0) fail("expected a number, got %s", text);
  return value;
}

static void sign_anchor(Bytes *out, char id_hex[65], const Device *device, Terms terms, const char *stream, const char *text) {
  size_t stream_size = strlen(stream), text_size = strlen(text);
  if (stream_size < 1 || stream_size > STREAM_MAX || text_size < 1 || text_size > DATA_MAX)
    fail("expected a stream of 1 to %d bytes and 1 to %d bytes of text", STREAM_MAX, DATA_MAX);
  Bytes payload = {.size = 0};
  uint8_t id[32];
  anchor_payload(&payload, device, terms, stream, text);
  sign_payload(out, id, device, &payload);
  format_hex(id_hex, id, sizeof id);
  id_hex[64] = 0;
}

/* --- the address of an account: bech32m (BIP 350) with prefix bz --- */

static uint32_t checksum_step(uint32_t sum, uint8_t value) {
  static const uint32_t GENERATORS[] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
  uint32_t top = sum >> 25;
  sum = ((sum & 0x1ffffff) << 5) ^ value;
  for (int i = 0; i < 5; i++)
    if ((top >> i) & 1) sum ^= GENERATORS[i];
  return sum;
}

static void format_address(char out[62], const uint8_t key[32]) {
  static const char ALPHABET[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  static const uint8_t PREFIX[] = {3, 3, 0, 'b' & 31, 'z' & 31}; /* "bz" spread out */
  uint32_t sum = 1, bits = 0, held = 0;
  size_t size = (size_t)sprintf(out, "bz1");
  for (size_t i = 0; i < sizeof PREFIX; i++) sum = checksum_step(sum, PREFIX[i]);
  for (int i = 0; i < 32; i++) {
    held = ((held << 8) | key[i]) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) {
      uint8_t word = (held >> (bits - 5)) & 31;
      sum = checksum_step(sum, word);
      out[size++] = ALPHABET[word];
    }
  }
  uint8_t last = (held << (5 - bits)) & 31; /* 256 bits are 51 words and one bit */
  sum = checksum_step(sum, last);
  out[size++] = ALPHABET[last];
  for (int i = 0; i < 6; i++) sum = checksum_step(sum, 0);
  sum ^= 0x2bc830a3;
  for (int i = 0; i < 6; i++) out[size++] = ALPHABET[(sum >> (5 * (5 - i))) & 31];
  out[size] = 0;
}

/* --- a connection --- */

static int open_connection(const char *host, const char *port) {
  struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
  if (getaddrinfo(host, port, &wanted, &found) != 0) fail("no address for %s", host);
  int connection = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
  struct timeval patience = {.tv_sec = 30};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connection < 0 || connect(connection, found->ai_addr, found->ai_addrlen) != 0) fail("%s:%s does not answer", host, port);
  freeaddrinfo(found);
  return connection;
}

static void send_all(int connection, const void *bytes, size_t size) {
  const uint8_t *at = bytes;
  while (size > 0) {
    ssize_t sent = send(connection, at, size, 0);
    if (sent <= 0) fail("the connection broke");
    at += sent;
    size -= (size_t)sent;
  }
}

static void receive_all(int connection, void *bytes, size_t size) {
  uint8_t *at = bytes;
  while (size > 0) {
    ssize_t received = recv(connection, at, size, 0);
    if (received <= 0) fail("the connection broke, or nothing came in time");
    at += received;
    size -= (size_t)received;
  }
}

/* --- HTTP: one question a connection, as HTTP/1.0, so that the answer ends where the connection does --- */

static int ask_http(const char *host, const char *port, const char *method, const char *path, const Bytes *body, char answer[ANSWER_MAX]) {
  char head[512];
  int connection = open_connection(host, port);
  int head_size = snprintf(head, sizeof head, "%s %s HTTP/1.0\r\nHost: %s:%s\r\nContent-Type: application/cose\r\nContent-Length: %zu\r\n\r\n",
                           method, path, host, port, body ? body->size : 0);
  send_all(connection, head, (size_t)head_size);
  if (body) send_all(connection, body->at, body->size);
  size_t size = 0;
  for (ssize_t received; size < ANSWER_MAX - 1 && (received = recv(connection, answer + size, ANSWER_MAX - 1 - size, 0)) > 0;)
    size += (size_t)received;
  answer[size] = 0;
  close(connection);
  int status = 0;
  if (sscanf(answer, "HTTP/1.%*d %d", &status) != 1) fail("no HTTP answer to %s", path);
  return status;
}

/* The text or number under a name; enough for the flat members of the answers used here. */
static void json_member(char *out, size_t size, const char *json, const char *name) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "\"%s\":", name);
  const char *at = strstr(json, wanted);
  if (!at) fail("no %s in the answer: %s", name, json);
  at += strlen(wanted);
  if (*at == '"') at++;
  size_t length = strcspn(at, "\",}");
  if (length >= size) fail("%s is too long", name);
  memcpy(out, at, length);
  out[length] = 0;
}

static uint64_t json_number(const char *json, const char *name) {
  char text[32];
  json_member(text, sizeof text, json, name);
  return parse_number(text);
}

static int over_http(char **words) {
  const char *host = words[0], *port = words[1], *genesis_hash = words[3];
  static char answer[ANSWER_MAX];
  char path[256], address[62], told[80], id[65];
  Device device = open_device(words[2], genesis_hash);

  if (ask_http(host, port, "GET", "/api/v2/status", NULL, answer) != 200) fail("no status: %s", answer);
  json_member(told, sizeof told, answer, "genesisHash");
  if (strcmp(told, genesis_hash) != 0) fail("this node is of another chain: %s", told);
  Terms terms = {.fee = json_number(answer, "minimumFee"), .valid_until = json_number(answer, "height") + 1000};

  format_address(address, device.public_key);
  snprintf(path, sizeof path, "/api/v2/accounts/%s", address);
  if (ask_http(host, port, "GET", path, NULL, answer) != 200) fail("no account: %s", answer);
  terms.nonce = json_number(answer, "pendingNonce");

  Bytes transaction = {.size = 0};
  sign_anchor(&transaction, id, &device, terms, words[4], words[5]);
  int status = ask_http(host, port, "POST", "/api/v2/transactions", &transaction, answer);
  if (status != 202 && status != 409) fail("refused: %s", answer); /* 409: executed before, its end is told below */
  printf("%s\naccepted\n", id);

  snprintf(path, sizeof path, "/api/v2/transactions/%s?wait=final&timeoutMs=20000", id);
  if (ask_http(host, port, "GET", path, NULL, answer) != 200) fail("no end: %s", answer);
  json_member(told, sizeof told, answer, "status");
  printf("%s\n", told);
  return strcmp(told, "final") == 0 ? 0 : 1;
}

/* --- MQTT 5: connect, subscribe, publish with QoS 1, read --- */

static void mqtt_text(Bytes *out, const char *text) {
  size_t size = strlen(text);
  put_byte(out, (uint8_t)(size >> 8));
  put_byte(out, (uint8_t)size);
  put(out, text, size);
}

static void mqtt_send(int connection, uint8_t first, const Bytes *rest) {
  uint8_t head[5] = {first};
  size_t head_size = 1;
  size_t left = rest->size;
  do {
    head[head_size++] = (uint8_t)((left & 127) | (left > 127 ? 128 : 0));
    left >>= 7;
  } while (left > 0);
  send_all(connection, head, head_size);
  send_all(connection, rest->at, rest->size);
}

static uint8_t mqtt_receive(int connection, Bytes *rest) {
  uint8_t first, next;
  size_t size = 0;
  int shift = 0;
  receive_all(connection, &first, 1);
  do {
    if (shift > 21) fail("no MQTT packet");
    receive_all(connection, &next, 1);
    size |= (size_t)(next & 127) << shift;
    shift += 7;
  } while (next & 128);
  if (size > sizeof rest->at) fail("a packet of %zu bytes", size);
  receive_all(connection, rest->at, size);
  rest->size = size;
  return first;
}

static int over_mqtt(char **words) {
  const char *host = words[0], *port = words[1], *name = words[2], *genesis_hash = words[4];
  char topic[160], id[65];
  Device device = open_device(words[3], genesis_hash);
  Terms terms = {.nonce = parse_number(words[5]), .fee = parse_number(words[6]), .valid_until = parse_number(words[7])};
  Bytes transaction = {.size = 0}, packet = {.size = 0};
  sign_anchor(&transaction, id, &device, terms, words[8], words[9]);
  printf("%s\n", id);

  int connection = open_connection(host, port);
  mqtt_text(&packet, "MQTT");
  put(&packet, "\x05\x02\x00\x3c\x00", 5); /* version 5, clean start, keep alive 60 s, no properties */
  mqtt_text(&packet, name); /* the client id, which is the device's name where it shows no other */
  mqtt_send(connection, 0x10, &packet);
  if (mqtt_receive(connection, &packet) >> 4 != 2 || packet.size < 2 || packet.at[1] != 0) fail("the broker does not let us in");

  snprintf(topic, sizeof topic, "bizra/v1/%.8s/tx/%s/receipt", genesis_hash, name);
  packet.size = 0;
  put(&packet, "\x00\x01\x00", 3); /* packet 1, no properties */
  mqtt_text(&packet, topic);
  put_byte(&packet, 1); /* QoS 1 */
  mqtt_send(connection, 0x82, &packet);

  snprintf(topic, sizeof topic, "bizra/v1/%.8s/tx/%s/submit", genesis_hash, name);
  packet.size = 0;
  mqtt_text(&packet, topic);
  put(&packet, "\x00\x02\x00", 3); /* packet 2, no properties */
  put(&packet, transaction.at, transaction.size);
  mqtt_send(connection, 0x32, &packet);

  for (;;) {
    uint8_t first = mqtt_receive(connection, &packet);
    if (first >> 4 == 9 && (packet.size < 4 || packet.at[packet.size - 1] >= 0x80)) fail("the receipts may not be read");
    if (first >> 4 == 4) { /* PUBACK: only now it is on the node's disk */
      uint8_t reason = packet.size > 2 ? packet.at[2] : 0;
      if (reason >= 0x80) fail("refused with reason 0x%02x", reason);
      printf("accepted\n");
    }
    if (first >> 4 != 3) continue;
    size_t at = 2 + ((size_t)packet.at[0] << 8) + packet.at[1]; /* behind the topic */
    if (packet.size < 4 || at + 3 > packet.size || packet.size >= sizeof packet.at) fail("no message that a receipt could be");
    if (first & 6) { /* a message of QoS 1 is acknowledged by its packet number */
      Bytes acknowledgement = {.size = 0};
      put(&acknowledgement, packet.at + at, 2);
      mqtt_send(connection, 0x40, &acknowledgement);
      at += 2;
    }
    at += 1 + packet.at[at]; /* behind the properties, of which a receipt has fewer than 128 bytes */
    if (at >= packet.size) continue;
    packet.at[packet.size] = 0; /* so that it can be searched as text */
    const char *receipt = (const char *)packet.at + at;
    char told[80];
    if (!strstr(receipt, id)) continue;
    json_member(told, sizeof told, receipt, "status");
    if (strcmp(told, "accepted") == 0) continue;
    printf("%s\n", told);
    close(connection);
    return strcmp(told, "final") == 0 ? 0 : 1;
  }
}

static int offline(char **words) {
  static char hex[2 * TRANSACTION_MAX + 1];
  char id[65];
  Device device = open_device(words[0], words[1]);
  Terms terms = {.nonce = parse_number(words[2]), .fee = parse_number(words[3]), .valid_until = parse_number(words[4])};
  Bytes transaction = {.size = 0};
  sign_anchor(&transaction, id, &device, terms, words[5], words[6]);
  format_hex(hex, transaction.at, transaction.size);
  printf("%s\n%s\n", id, hex);
  return 0;
}

int main(int count, char **words) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (count == 9 && strcmp(words[1], "sign") == 0) return offline(words + 2);
  if (count == 8 && strcmp(words[1], "http") == 0) return over_http(words + 2);
  if (count == 12 && strcmp(words[1], "mqtt") == 0) return over_mqtt(words + 2);
  fprintf(stderr, "anchor sign KEY.pem GENESIS NONCE FEE VALID_UNTIL STREAM TEXT\n"
                  "anchor http HOST PORT KEY.pem GENESIS STREAM TEXT\n"
                  "anchor mqtt HOST PORT DEVICE KEY.pem GENESIS NONCE FEE VALID_UNTIL STREAM TEXT\n");
  return 2;
}
