import { expect, test } from "bun:test";
import { VOTE_KIND } from "../../src/protocol/index.ts";
import { FRESH_JOURNAL, Rig } from "./rig.ts";

const { notarize, nullify, finalize } = VOTE_KIND;

test("J7: own votes that the journal pruned, shown again above an older chain, are no loss", () => {
  const pruned = { ...FRESH_JOURNAL, floor: { epoch: 0, view: 50 } } as const;
  const answered = new Rig({ replay: pruned, isGreeted: false });
  answered.greet([]);
  const votesOfYours = [answered.makeVote(0, nullify, 30), answered.makeVote(0, finalize, 50, new Uint8Array(32))];
  answered.from(1, { kind: "helloAnswer", token: answered.core.helloToken, votesOfYours });
  expect(answered.status.recovery.kind).toBe("intact");
  const shown = new Rig({ replay: pruned });
  shown.show(shown.certificate([0, 1, 2], nullify, 40));
  expect(shown.status.recovery.kind).toBe("intact");
  shown.show(shown.certificate([0, 1, 2], nullify, 51));
  expect(shown.status.recovery.kind).toBe("recovering");
});

test("R15: a hello from the epoch before, is answered with the asker's votes of that epoch too", () => {
  const rig = new Rig({ epochBlocks: 1 });
  const boundary = rig.propose(1);
  rig.from(1, boundary.message);
  rig.vote([2], notarize, 1, boundary.id);
  rig.vote([2], nullify, 2);
  rig.show(rig.certificate([1, 2, 3], finalize, 1, boundary.proposal));
  rig.vote([2], nullify, 1);
  expect(rig.status.epoch).toBe(1);
  rig.from(2, { kind: "hello", token: 5, height: 0, epoch: 0, floorView: 0, votes: [] });
  const shown = rig.sentOf("helloAnswer").at(-1)?.votesOfYours ?? [];
  expect(shown.map(({ epoch, view, kind }) => [epoch, view, kind])).toEqual([
    [1, 1, nullify],
    [0, 2, nullify],
    [0, 1, finalize],
    [0, 1, notarize],
  ]);
});
