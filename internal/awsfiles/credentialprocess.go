package awsfiles

import "encoding/json"

// credentialProcess writes an AWS config whose credential_process prints a file.
// boto3 runs it without a shell, the other SDKs with one: a plain `cat` of an
// absolute path works in all of them.
func credentialProcess(in Input) (map[string][]byte, error) {
	credentials, err := json.Marshal(struct {
		Version         int
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
		AccountID       string `json:"AccountId"`
	}{1, in.AccessKeyID, in.SecretAccessKey, in.SessionToken, timestamp(in.ExpiresAt), in.AccountID})
	if err != nil {
		return nil, err
	}
	config, err := profile(
		[2]string{"credential_process", "cat " + in.MountPath + "/credentials.json"},
		[2]string{"region", in.Region},
	)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"config": config, "credentials.json": credentials}, nil
}
