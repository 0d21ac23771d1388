// The same with the SDK for JavaScript v2, whose life has ended. It reads AWS_CONFIG_FILE with AWS_SDK_LOAD_CONFIG=1 only.
import AWS from "aws-sdk";
import { answerEachLine } from "./answer.mjs";

const client = new AWS.STS({ endpoint: process.env.AWS_ENDPOINT_URL_STS });
answerEachLine(AWS.VERSION, async () => {
  const { Arn, Account } = await client.getCallerIdentity().promise();
  return { Arn, Account, Region: client.config.region };
});
