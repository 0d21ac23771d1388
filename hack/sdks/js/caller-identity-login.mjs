// A service that insists on the default profile's login session.
import { createRequire } from "node:module";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromLoginCredentials } from "@aws-sdk/credential-provider-login";
import { answerEachLine } from "./answer.mjs";

const { version } = createRequire(import.meta.url)("@aws-sdk/credential-provider-login/package.json");
const client = new STSClient({ credentials: fromLoginCredentials({ profile: "default" }) });
answerEachLine(version, async () => {
  const { Arn, Account } = await client.send(new GetCallerIdentityCommand({}));
  return { Arn, Account, Region: await client.config.region() };
});
