package awsfiles

// sharedCredentials writes a static shared credentials file. SDKs read it once.
func sharedCredentials(in Input) (map[string][]byte, error) {
	credentials, err := profile(
		[2]string{"aws_access_key_id", in.AccessKeyID},
		[2]string{"aws_secret_access_key", in.SecretAccessKey},
		[2]string{"aws_session_token", in.SessionToken},
		[2]string{"region", in.Region},
	)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"credentials": credentials}, nil
}
