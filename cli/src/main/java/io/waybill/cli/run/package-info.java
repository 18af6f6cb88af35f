/* SPDX-License-Identifier: Apache-2.0 */
/** The commands that run something: server, name server, broker, demo. */
package io.waybill.cli.run;
