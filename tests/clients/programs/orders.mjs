// Takes orders as lines of JSON on standard input, and answers each with a line on standard output. The program ends with
// its input.

import { createInterface } from "node:readline";

const answers = process.stdout;
// What a library has to say is no answer.
for (const way of ["log", "info", "debug", "warn", "trace"]) {
    console[way] = (...words) => console.error(...words);
}

const say = (answer) => answers.write(JSON.stringify(answer) + "\n");

/// `handlers`: by the name of what an order wants done.
export async function obey(handlers) {
    for await (const line of createInterface({ input: process.stdin })) {
        const { id, ...order } = JSON.parse(line);
        Promise.resolve(order)
            .then((order) => handlers[order.do](order))
            .then((answer) => say({ id, answer: answer ?? null }))
            .catch((error) => say({ id, error: String(error?.stack ?? error) }));
    }
    process.exit(0);
}
