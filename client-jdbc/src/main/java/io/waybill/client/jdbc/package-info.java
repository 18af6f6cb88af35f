/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Keeps queue and relational database in agreement, whatever the timing.
 *
 * <p>{@link io.waybill.client.jdbc.OutcomeTable} is for producers: the outcome of each local transaction is a row in the service's own database,
 * written in that very transaction. The primary key lets only one of the two outcomes stand, so a commit that comes after a check has answered
 * ROLLBACK cannot happen. {@link io.waybill.client.jdbc.ProcessOnce} is for consumers: what a handler writes and the note that the message was
 * processed are one transaction, so a redelivery has no second effect.
 *
 * <p>Both work by message id and an open JDBC connection too, so services with stock RocketMQ clients, or with transactions of a framework, can use
 * them. The databases are those of {@link io.waybill.client.jdbc.Dialect}; the driver and the pool are the application's.
 *
 * <p>Start with {@link io.waybill.client.jdbc.OutcomeTable} (ADR 0018). Imports the public types of {@code client} and JDBC; nothing of the client's
 * inside.
 */
package io.waybill.client.jdbc;
