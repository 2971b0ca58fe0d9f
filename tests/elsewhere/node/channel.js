// A connection by @grpc/grpc-js. Each call ends with its code, its text and the answers that came.
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";

const FOLDERS = ["protos", "node_modules/grpc-health-check/proto", "node_modules/@grpc/reflection/build/proto"].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
);
const FILES = ["clients/v1/clients.proto", "health/v1/health.proto", "grpc/reflection/v1/reflection.proto"];
const METHODS = {};
for (const service of Object.values(loader.loadSync(FILES, { includeDirs: FOLDERS, defaults: true, longs: Number }))) {
  for (const method of Object.values(service)) if (method.path) METHODS[method.path] = method;
}

const PATIENCE = 60_000; // milliseconds; a call that takes it has failed

export class Channel {
  constructor(target) {
    const open = (options) => new grpc.Client(target, grpc.credentials.createInsecure(), options);
    this.plain = open({});
    this.gzip = open({ "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip });
  }

  /**
   * Makes a call: with `silent` it sends no message and leaves the call open, `deadline` and `cancelAfter` are in
   * milliseconds, and `onAnswer` may cancel the call that it gets.
   */
  call(path, request, { headers = {}, gzip = false, silent = false, deadline = PATIENCE, cancelAfter, onAnswer } = {}) {
    const method = METHODS[path] ?? METHODS["/clients.v1.ClientsService/Authenticate"];
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return new Promise((resolve) => {
      const answers = [];
      const call = (gzip ? this.gzip : this.plain).makeBidiStreamRequest(
        path, method.requestSerialize, method.responseDeserialize, metadata, { deadline: Date.now() + deadline },
      );
      call.on("data", (answer) => {
        answers.push(answer);
        onAnswer?.(call);
      });
      call.on("error", () => {}); // `status` tells it too
      call.on("status", ({ code, details }) => resolve({ code, details, answers }));
      if (cancelAfter !== undefined) setTimeout(() => call.cancel(), cancelAfter);
      if (silent) return;
      call.write(request);
      call.end();
    });
  }

  close() {
    this.plain.close();
    this.gzip.close();
  }
}
