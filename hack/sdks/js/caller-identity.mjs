// A service that never says where its credentials come from: the SDK's default chain finds them.
import { createRequire } from "node:module";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { answerEachLine } from "./answer.mjs";

const { version } = createRequire(import.meta.url)("@aws-sdk/client-sts/package.json");
const client = new STSClient({});
answerEachLine(version, async () => {
  const { Arn, Account } = await client.send(new GetCallerIdentityCommand({}));
  return { Arn, Account, Region: await client.config.region() };
});
