// The kinds of calls. Each returns what was wrong with its answer; nothing if it was right.
import grpc from "@grpc/grpc-js";

const { OK, CANCELLED, DEADLINE_EXCEEDED, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNIMPLEMENTED } = grpc.status;

const SERVICE = "/clients.v1.ClientsService";
const AUTHENTICATE = `${SERVICE}/Authenticate`;
const ENTITY = `${SERVICE}/RetrieveEntity`;
const ENTITIES = `${SERVICE}/RetrieveEntities`;
const CHECK = "/grpc.health.v1.Health/Check";
const WATCH = "/grpc.health.v1.Health/Watch";
const REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

const SOON = 50; // milliseconds; ends a call that nothing else ends
const TOO_SOON = 1; // ends a call, or comes too late for that
const MANY = 10_000; // ids of one call
const LIMIT = 4 * 1024 * 1024; // bytes of a message

export const KINDS = {
  right: (channel, plan) => admitted(channel, plan, "Basic", plan.ID),
  domain: (channel, plan) => admitted(channel, plan, "Domain", plan.Domain),
  wrong: async (channel, plan, number) => {
    const secret = `${number.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
    const ended = await channel.call(AUTHENTICATE, { token: token("Basic", plan.ID, secret) });
    return ended.details === plan.Denied ? expect(ended, [PERMISSION_DENIED]) : `text ${ended.details}`;
  },
  entity,
  nobody: async (channel) => expect(await channel.call(ENTITY, { id: "nobody" }), [NOT_FOUND]),
  gzip: (channel, plan) => entities(channel, plan, 100, { gzip: true }),
  large: (channel, plan) => entities(channel, plan, MANY, {}),
  "large gzip": (channel, plan) => entities(channel, plan, MANY, { gzip: true }),
  "too large": async (channel) => expect(await channel.call(ENTITY, { id: "x".repeat(LIMIT) }), [RESOURCE_EXHAUSTED]),
  "racing deadline": (channel, plan) => admitted(channel, plan, "Basic", plan.ID, { deadline: TOO_SOON }, [OK, DEADLINE_EXCEEDED]),
  "racing cancel": (channel, plan, number) =>
    entities(channel, plan, MANY, { cancelAfter: ((number % 8) * SOON) / 8 }, [OK, CANCELLED]),
  "silent deadline": async (channel) =>
    expect(await channel.call(AUTHENTICATE, null, { silent: true, deadline: SOON }), [DEADLINE_EXCEEDED]),
  "silent cancel": async (channel) =>
    expect(await channel.call(AUTHENTICATE, null, { silent: true, cancelAfter: SOON }), [CANCELLED]),
  check: async (channel) => serving(await channel.call(CHECK, { service: "" }), OK),
  "check nobody": async (channel) => expect(await channel.call(CHECK, { service: "nobody" }), [NOT_FOUND]),
  "watch deadline": async (channel) => {
    const ended = await channel.call(WATCH, { service: "" }, { deadline: 4 * SOON });
    return ended.answers.length ? serving(ended, DEADLINE_EXCEEDED) : expect(ended, [DEADLINE_EXCEEDED]);
  },
  "watch cancel": async (channel) =>
    serving(await channel.call(WATCH, { service: "" }, { onAnswer: (call) => call.cancel() }), CANCELLED),
  reflection: async (channel, plan) => {
    const ended = await channel.call(REFLECT, { listServices: "" });
    const found = ended.answers[0]?.listServicesResponse?.service.map((one) => one.name).sort();
    return `${found}` === `${plan.Services}` ? expect(ended, [OK]) : `services ${found}, code ${ended.code}`;
  },
  unimplemented: async (channel) => expect(await channel.call(`${SERVICE}/Nope`, {}), [UNIMPLEMENTED]),
};

function token(form, who, secret) {
  return form + Buffer.from(`${who}:${secret}`).toString("base64");
}

function expect(ended, codes) {
  return codes.includes(ended.code) ? "" : `${ended.code} (${ended.details}), not ${codes}`;
}

async function admitted(channel, plan, form, who, options = {}, codes = [OK]) {
  const ended = await channel.call(AUTHENTICATE, { token: token(form, who, plan.Secret) }, options);
  const answer = ended.answers[0];
  if (ended.code === OK && !(answer?.authenticated && answer.id === plan.ID)) return `answer ${JSON.stringify(answer)}`;
  return expect(ended, codes);
}

/** Sends metadata of all kinds, some of it longer than a frame. */
async function entity(channel, plan, number) {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, value) => (value + number) % 256));
  const headers = { "x-number": `${number}`, "x-bytes-bin": bytes };
  if (number % 4 === 0) headers["x-long"] = "long ".repeat(4000) + ".";
  const ended = await channel.call(ENTITY, { id: plan.ID }, { headers });
  const found = ended.answers[0]?.entity;
  if (ended.code === OK && !(found?.id === plan.ID && found.domainId === plan.Domain)) return `answer ${JSON.stringify(found)}`;
  return expect(ended, [OK]);
}

/** Asks for one client among others of 300 bytes each that do not exist. */
async function entities(channel, plan, count, options, codes = [OK]) {
  const ids = Array.from({ length: count }, (_, number) => `${number}`.padStart(300, "0"));
  ids[count / 2] = plan.ID;
  const ended = await channel.call(ENTITIES, { ids }, options);
  const answer = ended.answers[0];
  const right = answer?.total === 1 && answer.entities.length === 1 && answer.entities[0].id === plan.ID;
  return ended.code === OK && !right ? `answer ${JSON.stringify(answer)}` : expect(ended, codes);
}

function serving(ended, code) {
  return ended.answers[0]?.status === 1 ? expect(ended, [code]) : `answers ${JSON.stringify(ended.answers)}, code ${ended.code}`;
}
