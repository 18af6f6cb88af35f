/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The map from topic to living brokers. Brokers push what they serve, clients ask; nothing is kept on disk and no name
 * server knows of another.
 */
package io.waybill.namesrv;
