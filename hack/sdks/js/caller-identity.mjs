// Prints who the AWS SDK for JavaScript is to AWS STS, as JSON. The default profile names a login session, whose cache
// file the SDK refreshes first if it has to.
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromLoginCredentials } from "@aws-sdk/credential-provider-login";

const client = new STSClient({ region: "us-east-1", credentials: fromLoginCredentials({ profile: "default" }) });
const { Arn, Account } = await client.send(new GetCallerIdentityCommand({}));
console.log(JSON.stringify({ Arn, Account }));
