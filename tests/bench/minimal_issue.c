/*
 * minimal_issue.c - the least that anybody could write for the same job: make a P-256 key and a
 * CSR, POST it over TLS, write key and certificate with fsync. No checks, no recovery, no
 * configuration. The yardstick of tests/bench/bench.py; COUNT certificates over one connection.
 *
 * usage: minimal-issue ENDPOINT CA_FILE TOKEN_FILE DIRECTORY COUNT ZONE
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct answer {
	char text[1 << 16];
	size_t length;
};

static size_t collect(char *data, size_t size, size_t count, void *context)
{
	struct answer *answer = context;
	size_t length = size * count;
	if (answer->length + length >= sizeof(answer->text))
		return 0;
	memcpy(answer->text + answer->length, data, length);
	answer->length += length;
	answer->text[answer->length] = '\0';
	return length;
}

static void die(const char *what)
{
	fprintf(stderr, "minimal-issue: %s failed\n", what);
	exit(1);
}

static char *pem_of(EVP_PKEY *key, X509_REQ *request, const char *name)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *data = NULL;
	if (key)
		PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL);
	else
		PEM_write_bio_X509_REQ(memory, request);
	long length = BIO_get_mem_data(memory, &data);
	char *text = strndup(data, (size_t)length);
	BIO_free(memory);
	if (!text)
		die(name);
	return text;
}

static X509_REQ *make_request(EVP_PKEY *key, const char *name)
{
	char names[700];
	X509_REQ *request = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	snprintf(names, sizeof(names), "DNS:%s,DNS:*.%s", name, name);
	sk_X509_EXTENSION_push(extensions,
			       X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names));
	X509_REQ_add_extensions(request, extensions);
	X509_REQ_set_pubkey(request, key);
	if (!X509_REQ_sign(request, key, EVP_sha256()))
		die("sign");
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	return request;
}

/* JSON's "\n" to a line feed, in place or elsewhere; enough for PEM. */
static void unescape(char *to, const char *from, const char *end)
{
	while (from < end)
		if (from[0] == '\\' && from[1] == 'n') {
			*to++ = '\n';
			from += 2;
		} else {
			*to++ = *from++;
		}
	*to = '\0';
}

static void escape(char *to, const char *from)
{
	for (; *from; from++)
		if (*from == '\n') {
			*to++ = '\\';
			*to++ = 'n';
		} else {
			*to++ = *from;
		}
	*to = '\0';
}

static void write_file(const char *directory, long number, const char *kind, const char *text)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%ld.%s", directory, number, kind);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fsync(fd) < 0 || close(fd) < 0)
		die(path);
}

static void issue(CURL *curl, const char *directory, const char *zone, long number)
{
	static struct answer answer;
	static char body[1 << 15];
	static char escaped[1 << 13];
	static char certificate[1 << 14];
	char name[300];

	snprintf(name, sizeof(name), "host%04ld.%s", number, zone);
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509_REQ *request = make_request(key, name);
	char *key_pem = pem_of(key, NULL, "key");
	char *csr_pem = pem_of(NULL, request, "request");
	escape(escaped, csr_pem);
	snprintf(body, sizeof(body),
		 "{\"csr\":\"%s\",\"hostnames\":[\"%s\",\"*.%s\"],\"request_type\":\"origin-ecc\","
		 "\"requested_validity\":90}",
		 escaped, name, name);
	answer.length = 0;
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	CURLcode code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		die(curl_easy_strerror(code));
	char *start = strstr(answer.text, "-----BEGIN CERTIFICATE-----");
	char *end = start ? strchr(start, '"') : NULL;
	if (!end)
		die(answer.text);
	unescape(certificate, start, end);
	write_file(directory, number, "key", key_pem);
	write_file(directory, number, "pem", certificate);
	free(key_pem);
	free(csr_pem);
	X509_REQ_free(request);
	EVP_PKEY_free(key);
}

int main(int argc, char **argv)
{
	char url[1024];
	char token[256] = "";
	char header[512];
	if (argc != 7)
		die("usage: minimal-issue ENDPOINT CA_FILE TOKEN_FILE DIRECTORY COUNT ZONE");
	FILE *file = fopen(argv[3], "r");
	if (!file || !fgets(token, sizeof(token), file))
		die(argv[3]);
	fclose(file);
	token[strcspn(token, "\r\n")] = '\0';

	curl_global_init(CURL_GLOBAL_DEFAULT);
	CURL *curl = curl_easy_init();
	snprintf(url, sizeof(url), "%s/certificates", argv[1]);
	snprintf(header, sizeof(header), "Authorization: Bearer %s", token);
	struct curl_slist *headers = curl_slist_append(NULL, header);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CAINFO, argv[2]);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	long count = strtol(argv[5], NULL, 10);
	for (long i = 0; i < count; i++)
		issue(curl, argv[4], argv[6], i);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return 0;
}
