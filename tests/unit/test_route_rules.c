#include "controlplane/api/call/route_rules.h"

#include "tests/unit/check.h"

#define V4(service)                                                                                \
    "AWS4-HMAC-SHA256 Credential=test/20260105/eu-west-1/" service                                 \
    "/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"

static const struct {
    const char *name;
    struct route_request req;
    enum route_service service;
    enum route_dialect dialect;
    const char *service_name;
    const char *action;
} rows[] = {
    { "the scope says lambda",
      { "GET", "/2015-03-31/functions", NULL, V4("lambda"), NULL, NULL, NULL },
      ROUTE_LAMBDA,
      ROUTE_DIALECT_JSON,
      "lambda",
      "" },
    { "the scope wins over the path",
      { "GET", "/2015-03-31/functions", NULL, V4("s3"), NULL, NULL, NULL },
      ROUTE_S3,
      ROUTE_DIALECT_S3_XML,
      "s3",
      "" },
    { "STS by a form",
      { "POST", "/", NULL, V4("sts"), NULL, "application/x-www-form-urlencoded; charset=utf-8",
        "Action=GetCallerIdentity&Version=2011-06-15" },
      ROUTE_STS,
      ROUTE_DIALECT_QUERY_XML,
      "sts",
      "GetCallerIdentity" },
    { "STS by a query, unsigned",
      { "GET", "/", "Action=GetCallerIdentity&Version=2011-06-15", NULL, NULL, NULL, NULL },
      ROUTE_STS,
      ROUTE_DIALECT_QUERY_XML,
      "sts",
      "GetCallerIdentity" },
    { "SQS in JSON",
      { "POST", "/", NULL, V4("sqs"), "AmazonSQS.CreateQueue", "application/x-amz-json-1.0", NULL },
      ROUTE_OTHER,
      ROUTE_DIALECT_TARGET_JSON,
      "sqs",
      "CreateQueue" },
    { "SQS as a query",
      { "POST", "/", NULL, V4("sqs"), NULL, "application/x-www-form-urlencoded",
        "Version=2012-11-05&Action=CreateQueue" },
      ROUTE_OTHER,
      ROUTE_DIALECT_QUERY_XML,
      "sqs",
      "CreateQueue" },
    { "a target with a date, unsigned",
      { "POST", "/", NULL, NULL, "DynamoDB_20120810.ListTables", NULL, NULL },
      ROUTE_OTHER,
      ROUTE_DIALECT_TARGET_JSON,
      "dynamodb",
      "ListTables" },
    { "a form of a service that is not known",
      { "POST", "/", NULL, NULL, NULL, "application/x-www-form-urlencoded", "Action=Do&Version=1" },
      ROUTE_OTHER,
      ROUTE_DIALECT_QUERY_XML,
      "query",
      "Do" },
    { "a Lambda path, unsigned",
      { "POST", "/2015-03-31/functions/f/invocations", NULL, NULL, NULL, NULL, NULL },
      ROUTE_LAMBDA,
      ROUTE_DIALECT_JSON,
      "lambda",
      "" },
    { "an object whose key looks a little like it",
      { "GET", "/2015-03-31/functionsx", NULL, NULL, NULL, NULL, NULL },
      ROUTE_S3,
      ROUTE_DIALECT_S3_XML,
      "s3",
      "" },
    { "version 2 of S3's signature",
      { "PUT", "/bucket/key", NULL, "AWS test:abc=", NULL, NULL, NULL },
      ROUTE_S3,
      ROUTE_DIALECT_S3_XML,
      "s3",
      "" },
    { "a presigned version 2 query",
      { "GET", "/2015-03-31/functions", "AWSAccessKeyId=test&Expires=1&Signature=x", NULL, NULL,
        NULL, NULL },
      ROUTE_S3,
      ROUTE_DIALECT_S3_XML,
      "s3",
      "" },
    { "a presigned version 4 query",
      { "GET", "/b/k", "X-Amz-Credential=test%2F20260105%2Fus-east-1%2Fs3%2Faws4_request", NULL,
        NULL, NULL, NULL },
      ROUTE_S3,
      ROUTE_DIALECT_S3_XML,
      "s3",
      "" },
    { "our own path",
      { "GET", "/_lapwing/v1/health", NULL, NULL, NULL, NULL, NULL },
      ROUTE_ADMIN,
      ROUTE_DIALECT_JSON,
      "lapwing",
      "" },
    { "a scope that is cut",
      { "GET", "/b/k", NULL, "AWS4-HMAC-SHA256 Credential=test/20260105/eu", NULL, NULL, NULL },
      ROUTE_S3,
      ROUTE_DIALECT_S3_XML,
      "s3",
      "" },
    { "a bucket in the host, unsigned",
      { .method = "GET", .path = "/2015-03-31/functions/f", .host = "abc.localhost:4566" },
      ROUTE_S3,
      ROUTE_DIALECT_S3_XML,
      "s3",
      "" },
    { "the same path without one",
      { .method = "GET", .path = "/2015-03-31/functions/f", .host = "localhost:4566" },
      ROUTE_LAMBDA,
      ROUTE_DIALECT_JSON,
      "lambda",
      "" },
    { "a bucket under the cluster's own name",
      { .method = "GET",
        .path = "/_lapwing/v1/health",
        .host = "abc.store.example",
        .s3_domain = "store.example" },
      ROUTE_S3,
      ROUTE_DIALECT_S3_XML,
      "s3",
      "" },
    { "the scope wins over the host",
      { .method = "GET",
        .path = "/2015-03-31/functions",
        .host = "abc.localhost",
        .authorization = V4("lambda") },
      ROUTE_LAMBDA,
      ROUTE_DIALECT_JSON,
      "lambda",
      "" },
    { "nothing that names a service",
      { "GET", "/", NULL, NULL, NULL, NULL, NULL },
      ROUTE_S3,
      ROUTE_DIALECT_S3_XML,
      "s3",
      "" },
};

TEST(a_request_goes_to_the_service_that_it_names)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route route;

        test_case = rows[i].name;
        route_choose(&rows[i].req, &route);
        EXPECT_EQ(route.service, rows[i].service);
        EXPECT_EQ(route.dialect, rows[i].dialect);
        EXPECT_TEXT(route.name, rows[i].service_name);
        EXPECT_TEXT(route.action, rows[i].action);
    }
}

static const struct {
    const char *method;
    const char *path;
    const char *query;
    const char *want; /* NULL: none */
    const char *parameter;
} operations[] = {
    { "POST", "/2015-03-31/functions", NULL, "CreateFunction", NULL },
    { "GET", "/2015-03-31/functions/", NULL, "ListFunctions", NULL },
    { "GET", "/2015-03-31/functions/f", NULL, "GetFunction", "f" },
    { "GET", "/2015-03-31/functions/f%3A1", "Qualifier=1", "GetFunction", "f%3A1" },
    { "PUT", "/2015-03-31/functions/f/code", NULL, "UpdateFunctionCode", "f" },
    { "POST", "/2015-03-31/functions/arn:aws:lambda:a:b:function:f/invocations", NULL, "Invoke",
      "arn:aws:lambda:a:b:function:f" },
    { "POST", "/2014-11-13/functions/f/invoke-async/", NULL, "InvokeAsync", "f" },
    { "GET", "/2018-10-31/layers", "find=LayerVersion&Arn=x", "GetLayerVersionByArn", NULL },
    { "GET", "/2018-10-31/layers", "find=Layer", "ListLayers", NULL },
    { "GET", "/2019-09-30/functions/f/provisioned-concurrency", "List=ALL",
      "ListProvisionedConcurrencyConfigs", "f" },
    { "GET", "/2019-09-30/functions/f/provisioned-concurrency", "Qualifier=1",
      "GetProvisionedConcurrencyConfig", "f" },
    { "DELETE", "/2018-10-31/layers/l/versions/1/policy/s", NULL, "RemoveLayerVersionPermission",
      "l" },
    { "PATCH", "/2015-03-31/functions", NULL, NULL, NULL },
    { "GET", "/2015-03-31/functions//configuration", NULL, NULL, NULL },
    { "GET", "/2015-03-31/function", NULL, NULL, NULL },
    { "GET", "/2015-03-31/functions/f/code/more", NULL, NULL, NULL },
};

TEST(an_operation_is_found_by_method_and_path)
{
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        struct lambda_match match = { 0 };
        bool found = lambda_operation_match(operations[i].method, operations[i].path,
                                            operations[i].query, &match);

        test_case = operations[i].path;
        EXPECT_EQ(found, operations[i].want != NULL);
        EXPECT_TEXT(found ? match.operation->name : NULL, operations[i].want);
        if (operations[i].parameter != NULL) {
            EXPECT_EQ(match.parameters[0].len, strlen(operations[i].parameter));
            EXPECT(strncmp(match.parameters[0].text, operations[i].parameter,
                           match.parameters[0].len) == 0);
        }
    }
}

TEST(every_operation_is_found_by_its_own_template)
{
    for (size_t i = 0; i < LAMBDA_OPERATIONS; i++) {
        const struct lambda_operation *operation = lambda_operation_at(i);
        struct lambda_match match = { 0 };

        test_case = operation->name;
        EXPECT(
            lambda_operation_match(operation->method, operation->path, operation->query, &match));
        EXPECT_TEXT(match.operation == NULL ? NULL : match.operation->name, operation->name);
    }
}
