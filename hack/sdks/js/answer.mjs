// Answers every line on standard input with what a call of AWS STS says, as JSON; calls overlap as the lines do.
import { createInterface } from "node:readline";

export function answerEachLine(version, call) {
  createInterface({ input: process.stdin }).on("line", async () => {
    let said;
    try {
      said = await call();
    } catch (error) {
      said = { Error: `${error.name}: ${error.message}` };
    }
    console.log(JSON.stringify({ ...said, Version: version }));
  });
}
