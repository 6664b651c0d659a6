import { expect, test } from "bun:test";
import { Rig } from "./rig.ts";

/** Gives one box's questions to another and the answers back, for some time; gives how many questions there were. */
function talk(asker: Rig, answerer: Rig, ms: number): number {
  let seen = asker.sent.length;
  let questions = 0;
  for (let passed = 0; passed < ms; passed += 50) {
    asker.pass(50);
    answerer.pass(50);
    for (const { message } of asker.sent.slice(seen)) {
      if (message.kind !== "fetch") continue;
      questions++;
      const before = answerer.sent.length;
      answerer.from(1, message);
      for (const answer of answerer.sent.slice(before)) if (answer.message.kind === "certificates") asker.from(1, answer.message);
    }
    seen = asker.sent.length;
  }
  return questions;
}

test("R9: a leader that jumped over hundreds of given-up views, gets all of them and proposes", () => {
  const [asker, answerer] = [new Rig(), new Rig()];
  let last = 300;
  while (asker.leaderOf(last + 1) !== asker.self) last++;
  for (let view = 1; view <= last; view++) answerer.show(answerer.nullification(view));
  asker.show(asker.nullification(last));
  asker.work();
  const questions = talk(asker, answerer, 3_000);
  expect(asker.sentOf("proposal")[0]?.proposal).toMatchObject({ view: last + 1, parentView: 0 });
  expect(questions).toBeLessThan(20);
});

test("R9: a voter that jumped over hundreds of given-up views, gets all of them and notarizes", () => {
  const [asker, answerer] = [new Rig(), new Rig()];
  let last = 300;
  while (asker.leaderOf(last + 1) === asker.self) last++;
  for (let view = 1; view <= last; view++) answerer.show(answerer.nullification(view));
  asker.show(asker.nullification(last));
  const made = asker.propose(last + 1);
  asker.from(asker.leaderOf(last + 1), made.message);
  talk(asker, answerer, 3_000);
  expect(asker.cast).toContain(`NOTARIZE 0:${last + 1}`);
});
