/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.protocol.json.Json;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RetryPolicyTest {
    private static RetryPolicy parse(String json) {
        return RetryPolicy.parse(Json.parse(json));
    }

    @Test
    void theTablesLastEntryHoldsForAllThatFollow() {
        RetryPolicy policy = parse("{\"type\":\"CUSTOMIZED\",\"customizedRetryPolicy\":{\"next\":[0,500,70000]}}");
        assertThat(policy.delayMillis(0)).isZero();
        assertThat(policy.delayMillis(1)).isEqualTo(500);
        assertThat(policy.delayMillis(2)).isEqualTo(70_000);
        assertThat(policy.delayMillis(Integer.MAX_VALUE)).isEqualTo(70_000);
        assertThat(policy.delayMillis(-5)).isZero();
    }

    @Test
    void theExponentGrowsToItsCeiling() {
        RetryPolicy policy = parse("{\"type\":\"EXPONENTIAL\","
                + "\"exponentialRetryPolicy\":{\"initial\":100,\"max\":5000,\"multiplier\":3}}");
        assertThat(policy.delayMillis(0)).isEqualTo(100);
        assertThat(policy.delayMillis(1)).isEqualTo(300);
        assertThat(policy.delayMillis(3)).isEqualTo(2_700);
        assertThat(policy.delayMillis(4)).isEqualTo(5_000);
        assertThat(policy.delayMillis(Integer.MAX_VALUE)).isEqualTo(5_000);
        assertThat(parse("{\"type\":\"EXPONENTIAL\"}").delayMillis(2)).isEqualTo(20_000);
    }

    @Test
    void whatTheToolsSendForNoWishIsNoPolicy() {
        assertThat(RetryPolicy.parse(null)).isNull();
        assertThat(parse("{\"type\":\"CUSTOMIZED\"}")).isNull();
        assertThat(parse("{}")).isNull();
        assertThat(parse("{\"type\":\"CUSTOMIZED\",\"customizedRetryPolicy\":{}}"))
                .isNull();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'type':'SOMETIMES'} | type",
                "{'customizedRetryPolicy':{'next':[]}} | next",
                "{'customizedRetryPolicy':{'next':[1,-1]}} | next",
                "{'customizedRetryPolicy':{'next':[31536000001]}} | next",
                "{'customizedRetryPolicy':{'next':['soon']}} | next",
                "{'customizedRetryPolicy':{'next':[null]}} | next",
                "{'customizedRetryPolicy':{'next':7}} | next",
                "{'customizedRetryPolicy':7} | customizedRetryPolicy",
                "{'type':'EXPONENTIAL','exponentialRetryPolicy':{'initial':0}} | initial",
                "{'type':'EXPONENTIAL','exponentialRetryPolicy':{'initial':10,'max':9}} | max",
                "{'type':'EXPONENTIAL','exponentialRetryPolicy':{'multiplier':0.5}} | multiplier",
                "{'type':'EXPONENTIAL','exponentialRetryPolicy':{'multiplier':1001}} | multiplier",
            })
    void aPolicyThatCannotBeKeptIsRefusedByName(String json, String field) {
        assertThatThrownBy(() -> parse(json.replace('\'', '"'))).hasMessageContaining(field);
    }

    @Test
    void aTableHasALimit() {
        String next = "1,".repeat(RetryPolicy.MOST_STEPS) + "1";
        assertThatThrownBy(() -> parse("{\"customizedRetryPolicy\":{\"next\":[" + next + "]}}"))
                .hasMessageContaining("100")
                .hasMessageContaining("101");
    }
}
