/** What a person finds on the partition that opens on any computer; lines end as Windows expects. */
export function provisionReadme(): string {
  return [
    "BIZRA node",
    "",
    "Put a file named provision.json beside this one, put the card or disk back into the box and start it.",
    "The box reads the file once. It then writes status.txt here, which says what it did, or in a sentence what",
    "is wrong with the file; correct it and start the box again.",
    "",
    "A new box also needs its network's genesis.json here. An empty file new-code.txt asks for another code for the",
    "box's page, whose address is in status.txt (http://ADDRESS:8080). Nothing else here is read.",
    "",
  ].join("\r\n");
}
