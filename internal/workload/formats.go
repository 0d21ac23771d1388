package workload

import "awslogin.dev/operator/api/v1alpha1"

// Setting is how SDKs are told where the files of a format are.
type Setting struct {
	Format v1alpha1.TargetFormat
	// Env are variables and their values, which are paths below the mount.
	Env [][2]string
}

// Settings of the formats that are files, the one to prefer first.
var Settings = []Setting{
	{v1alpha1.CredentialProcess, [][2]string{{"AWS_CONFIG_FILE", "/config"}}},
	{v1alpha1.LoginCache, [][2]string{{"AWS_CONFIG_FILE", "/login-config"}, {"AWS_LOGIN_CACHE_DIRECTORY", "/"}}},
	{v1alpha1.SharedCredentials, [][2]string{{"AWS_SHARED_CREDENTIALS_FILE", "/credentials"}}},
}
