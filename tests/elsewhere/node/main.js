// Makes the calls of a plan with @grpc/grpc-js, and prints one line of JSON: how many answers were wrong.
import { readFileSync } from "node:fs";
import { Channel } from "./channel.js";
import { KINDS } from "./kinds.js";

const EXAMPLES = 50;

const plan = JSON.parse(readFileSync(0, "utf8"));
const told = { counts: {}, wrong: 0, examples: [] };
for (let first = 0; first < plan.Calls; first += plan.PerChannel) {
  const channel = new Channel(plan.Target);
  await onOneChannel(channel, first, Math.min(first + plan.PerChannel, plan.Calls));
  channel.close();
}
console.log(JSON.stringify(told));

async function onOneChannel(channel, first, end) {
  let next = first;
  const worker = async () => {
    while (next < end) {
      const number = next++;
      const kind = plan.Kinds[number % plan.Kinds.length];
      count(kind, await KINDS[kind](channel, plan, number));
    }
  };
  await Promise.all(Array.from({ length: plan.AtOnce }, worker));
}

function count(kind, wrong) {
  told.counts[kind] = (told.counts[kind] ?? 0) + 1;
  if (!wrong) return;
  told.wrong++;
  if (told.examples.length < EXAMPLES) told.examples.push(`${kind}: ${wrong}`.slice(0, 300));
}
