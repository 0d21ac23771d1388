package awsfiles

// environment writes one file per variable, for envFrom or for a shell.
func environment(in Input) (map[string][]byte, error) {
	files := map[string][]byte{
		"AWS_ACCESS_KEY_ID":         []byte(in.AccessKeyID),
		"AWS_SECRET_ACCESS_KEY":     []byte(in.SecretAccessKey),
		"AWS_SESSION_TOKEN":         []byte(in.SessionToken),
		"AWS_CREDENTIAL_EXPIRATION": []byte(timestamp(in.ExpiresAt)),
	}
	if in.Region != "" {
		files["AWS_REGION"] = []byte(in.Region)
	}
	return files, nil
}
